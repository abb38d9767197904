"""The heaps in which HDF5 files keep what is of variable length: text, and ragged rows.

    reference of an entry: length, uint32; address of its heap; index in it, uint32
    heap: "GCOL", 1, three zeros, size;  then objects: index, uint16; 6 bytes; size; values

The HDF5 library believes all of it: it clears the memory that an entry declares before it looks for the entry
(4 bytes make it 32 GB), and goes round for ever in a heap whose sizes do not add up.

Source: The HDF Group, "HDF5 file format specification": global heap, variable-length datatypes.
"""

from __future__ import annotations

import math
import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

_SIGNATURE = b"GCOL\x01\0\0\0"
_WORD = 8  # what lies in a heap begins at whole words
_DEFLATE, _SHUFFLE = 1, 2  # HDF5's numbers of its filters


def references(path: Path, part: Any) -> _Array:
    """Where the entries of a data set of variable length are, in order: `length`, `address`, `index`.

    An entry that was never written has length 0.

    Args:
        path: the file.
        part: an `h5py.Dataset` of it, `(n,)`, that holds its data itself.

    Raises:
        Exception: nearly any, where the file is damaged; ValueError where the references lie in a header, or
            are stored with a filter other than gzip and shuffle.
    """
    found = np.zeros(part.shape[0], _reference_dtype(part))
    for place, piece in _pieces(path, part):
        start = place[0]
        piece = piece[: len(found) - start]  # the last chunk goes beyond the end
        found[start : start + len(piece)] = piece
    return found


def longest_entry(path: Path, part: Any) -> int:
    """The most that an entry of a data set declares, of any shape; raises as `references` does."""
    return max((int(piece["length"].max(initial=0)) for _, piece in _pieces(path, part)), default=0)


def stored_object(path: Path, address: int, index: int, size_bytes: int) -> bytes | None:
    """What is stored under an index of the heap at an address; None if there is none, or it is damaged.

    Args:
        path: the file, which is opened for it.
        address: in bytes from its beginning.
        index: >= 1.
        size_bytes: that a size takes in this file.
    """
    file_bytes = path.stat().st_size
    with path.open("rb") as file:
        file.seek(min(address, file_bytes))
        heap = file.read(len(_SIGNATURE) + size_bytes)
        heap += file.read(max(min(_size_of(heap, size_bytes), file_bytes) - len(heap), 0))
    first, size = (_objects(heap, size_bytes) or {}).get(index, (0, None))
    return None if size is None else heap[first : first + size]


def damaged_heap(path: Path, size_bytes: int) -> int | None:
    """The address of a heap of the file whose sizes do not add up; None if there is none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_SIGNATURE)
        while at >= 0:
            size = _size_of(content[at : at + len(_SIGNATURE) + size_bytes], size_bytes)
            if _objects(content[at : at + size], size_bytes) is None:
                return at
            at = content.find(_SIGNATURE, at + _WORD)
    return None


def _size_of(heap: bytes, size_bytes: int) -> int:
    """What its header says that it takes, the header included."""
    return int.from_bytes(heap[len(_SIGNATURE) :][:size_bytes], "little")


def _objects(heap: bytes, size_bytes: int) -> dict[int, tuple[int, int]] | None:
    """First byte and size of each object by its index; None if they do not fill the heap, one after another."""
    if not heap.startswith(_SIGNATURE) or len(heap) != _size_of(heap, size_bytes):
        return None
    header = _whole_words(_WORD + size_bytes)  # of the heap, and of each object
    found: dict[int, tuple[int, int]] = {}
    at = header
    while at + header <= len(heap):
        index = int.from_bytes(heap[at : at + 2], "little")
        size = int.from_bytes(heap[at + _WORD : at + _WORD + size_bytes], "little")
        if index == 0:  # what is free, its header included, up to the end
            return found if at + size == len(heap) else None
        if index in found:
            return None
        found[index] = (at + header, size)
        at += header + _whole_words(size)
    return found if at <= len(heap) else None


def _whole_words(num_bytes: int) -> int:
    return -(-num_bytes // _WORD) * _WORD


def _reference_dtype(part: Any) -> np.dtype[Any]:
    address_bytes, _ = part.file.id.get_create_plist().get_sizes()
    return np.dtype([("length", "<u4"), ("address", f"<u{address_bytes}"), ("index", "<u4")])


def _pieces(path: Path, part: Any) -> Iterator[tuple[tuple[int, ...], _Array]]:
    """The first entry and the references of each piece in which a data set is stored."""
    from h5py import h5d  # whoever has a data set has h5py

    dtype = _reference_dtype(part)
    layout = part.id.get_create_plist().get_layout()
    if layout == h5d.CHUNKED:
        for number in range(part.id.get_num_chunks()):
            start = part.id.get_chunk_info(number).chunk_offset
            mask, stored = part.id.read_direct_chunk(start)
            yield start, np.frombuffer(_unfiltered(stored, part, mask, dtype.itemsize), dtype)
    elif layout != h5d.CONTIGUOUS:
        raise ValueError("the references lie in a header")
    elif part.id.get_offset() is not None:
        with path.open("rb") as file:
            file.seek(part.id.get_offset())
            yield (0,), np.frombuffer(file.read(dtype.itemsize * part.size), dtype)


def _unfiltered(stored: bytes, part: Any, mask: int, itemsize: int) -> bytes:
    """A chunk as it was before it was compressed."""
    pipeline = part.id.get_create_plist()
    for number in reversed(range(pipeline.get_nfilters())):
        code = pipeline.get_filter(number)[0]
        if mask >> number & 1:
            continue
        if code == _DEFLATE:
            stored = zlib.decompressobj().decompress(stored, math.prod(part.chunks) * itemsize)
        elif code == _SHUFFLE:
            stored = np.frombuffer(stored, np.uint8).reshape(itemsize, -1).T.tobytes()
        else:
            raise ValueError(f"filter {code} is not known")
    return stored
