"""Ragged HDF5 data sets, one row of any length an entry, read by their published layout.

The HDF5 library believes such a data set: it clears the memory that a row declares before it looks for the row
(4 bytes make it 32 GB), and goes round for ever in a damaged heap.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

_SIGNATURE = b"GCOL\x01\0\0\0"
_WORD = 8  # what lies in a heap begins at whole words
_DEFLATE, _SHUFFLE = 1, 2  # HDF5's numbers of its filters


class RaggedRows:
    """The rows of a ragged data set of numbers; `rows[i]` is one, with the file's dtype.

        reference of a row: length, uint32; address of its heap; index in it, uint32
        heap: "GCOL", 1, three zeros, size;  then objects: index, uint16; 6 bytes; size; values

    No more is read than the file holds. It is opened for each row, so that workers can share it.

    Args:
        path: the file.
        part: an `h5py.Dataset` of it, `(n,)`, that holds its data itself.

    Raises:
        ValueError: its rows are no numbers, or its references or (when it is asked for) a row are damaged;
            the message names the file, the data set and the row.

    Source: The HDF Group, "HDF5 file format specification": global heap, variable-length datatypes.
    """

    def __init__(self, path: Path, part: Any) -> None:
        self.path, self._where = path, f"{path}: {part.name.strip('/')}"
        try:
            self.dtype = _row_dtype(part)
            address_bytes, self._size_bytes = part.file.id.get_create_plist().get_sizes()
            self._offset = part.file.userblock_size
            self._references = _references(path, part, address_bytes)
        except Exception as error:  # h5py raises what it likes of damage
            raise ValueError(
                f"{self._where} is {part.dtype}, expected a ragged row of numbers an entry, stored plainly or "
                f"with gzip and shuffle ({error})."
            ) from error

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, index: int, /) -> _Array:
        length, address, number = (int(field) for field in self._references[index])
        if length == 0:
            return np.empty(0, self.dtype)
        content = self._object(self._offset + address, number, f"{self._where}: row {index}")
        if len(content) != length * self.dtype.itemsize:
            raise ValueError(
                f"{self._where}: row {index} declares {length} numbers of {self.dtype}, but "
                f"{len(content)} bytes are stored. The file is damaged; fetch it again."
            )
        return np.frombuffer(content, self.dtype)

    def _object(self, address: int, wanted: int, where: str) -> bytes:
        """What is stored under an index of the heap at an address."""
        header = _whole_words(len(_SIGNATURE) + self._size_bytes)
        with self.path.open("rb") as file:
            file.seek(min(address, self.path.stat().st_size))
            start = file.read(header)
            size = int.from_bytes(start[len(_SIGNATURE) :][: self._size_bytes], "little")
            heap = file.read(min(size, self.path.stat().st_size))[: max(size - header, 0)]
        at = 0 if start.startswith(_SIGNATURE) else len(heap)
        while at < len(heap):
            number = int.from_bytes(heap[at : at + 2], "little")
            size = int.from_bytes(heap[at + _WORD : at + _WORD + self._size_bytes], "little")
            first = at + _whole_words(_WORD + self._size_bytes)
            if number == 0:  # the rest is free
                break
            if number == wanted:
                return heap[first : first + size]
            at = first + _whole_words(size)
        raise ValueError(
            f"{where} is not where it is said to be, in a heap at byte {address}. The file is damaged; fetch "
            "it again."
        )


def _whole_words(num_bytes: int) -> int:
    return -(-num_bytes // _WORD) * _WORD


def _row_dtype(part: Any) -> np.dtype[Any]:
    from h5py import check_vlen_dtype, h5t

    row = check_vlen_dtype(part.dtype)
    if not isinstance(row, np.dtype) or row.kind not in "iuf":
        raise ValueError("the entries are no rows of numbers")
    if _bits(part.id.get_type().get_super()) != _bits(h5t.py_create(row)):
        raise ValueError(f"the numbers are not stored as {row}")
    return row


def _bits(number: Any) -> tuple[Any, ...]:
    """What a stored number's value depends on; how HDF5 pads it, for instance, does not matter."""
    place = (type(number), number.get_size(), number.get_precision(), number.get_offset())
    order = number.get_order() if number.get_size() > 1 else None
    if hasattr(number, "get_ebias"):
        return (*place, order, number.get_fields(), number.get_ebias(), number.get_norm())
    return (*place, order, number.get_sign())


def _references(path: Path, part: Any, address_bytes: int) -> _Array:
    """Length, address and index of each row; a row that was never written has length 0."""
    fields = [("length", "<u4"), ("address", f"<u{address_bytes}"), ("index", "<u4")]
    references = np.zeros(part.shape[0], fields)
    for start, stored in _pieces(path, part, references.itemsize):
        piece = np.frombuffer(stored, references.dtype)[: len(references) - start]
        references[start : start + len(piece)] = piece  # the last chunk goes beyond the end
    return references


def _pieces(path: Path, part: Any, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The first row and the references of each piece of the data set."""
    from h5py import h5d

    layout = part.id.get_create_plist().get_layout()
    if layout == h5d.CHUNKED:
        for number in range(part.id.get_num_chunks()):
            start = part.id.get_chunk_info(number).chunk_offset
            mask, stored = part.id.read_direct_chunk(start)
            yield start[0], _unfiltered(stored, part, mask, size_bytes)
    elif layout != h5d.CONTIGUOUS:
        raise ValueError("the references lie in a header")
    elif part.id.get_offset() is not None:
        with path.open("rb") as file:
            file.seek(part.id.get_offset())
            yield 0, file.read(size_bytes * part.shape[0])


def _unfiltered(stored: bytes, part: Any, mask: int, size_bytes: int) -> bytes:
    """A chunk as it was before it was compressed."""
    pipeline = part.id.get_create_plist()
    chunk_bytes = part.chunks[0] * size_bytes
    for number in reversed(range(pipeline.get_nfilters())):
        code = pipeline.get_filter(number)[0]
        if mask >> number & 1:
            continue
        if code == _DEFLATE:
            stored = zlib.decompressobj().decompress(stored, chunk_bytes)
        elif code == _SHUFFLE:
            stored = np.frombuffer(stored, np.uint8).reshape(size_bytes, -1).T.tobytes()
        else:
            raise ValueError(f"filter {code} is not known")
    return stored
