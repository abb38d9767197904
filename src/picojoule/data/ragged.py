"""Ragged HDF5 data sets, one row of any length an entry, whose lengths are checked before a row is read.

HDF5 trusts the length that a row declares and clears as much memory, before it looks whether the file
has the row: 4 bytes make it 32 GB.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

_LENGTH_BYTES, _INDEX_BYTES = 4, 4  # of a row's reference; an address lies between
_DEFLATE, _SHUFFLE = 1, 2  # HDF5's numbers of its filters


def check_ragged(path: Path, part: Any) -> None:
    """Raise unless a data set has rows of numbers, none longer than the file.

        reference of a row: length, uint32; address of a heap; index in the heap, uint32

    Args:
        path: the file, for messages, and where it lies.
        part: an `h5py.Dataset` of it, `(n,)`, that holds its data itself.

    Raises:
        ValueError: its rows are no numbers, one is longer than the file, or the references cannot be
            read; the message names the file, the data set and the row.
    """
    where = f"{path}: {part.name.strip('/')}"
    try:
        from h5py import check_vlen_dtype

        row = check_vlen_dtype(part.dtype)
    except Exception as error:
        raise ValueError(f"{where} has no dtype that can be read ({error}).") from error
    if not isinstance(row, np.dtype) or row.kind not in "iuf":
        raise ValueError(
            f"{where} is {row or part.dtype}, expected a ragged row of numbers an entry."
        )
    try:
        lengths = _lengths(path, part)
    except Exception as error:
        raise ValueError(
            f"{where}: the lengths of its rows cannot be read ({error}). The file is damaged, or stored "
            "with a filter other than gzip and shuffle."
        ) from error
    too_long = lengths * row.itemsize > path.stat().st_size
    if too_long.any():
        at = int(too_long.argmax())
        raise ValueError(
            f"{where}: row {at} declares {lengths[at]} entries, more than the file has. The file is "
            "damaged; fetch it again."
        )


def _lengths(path: Path, part: Any) -> _Array:
    """What each row declares, int64; a row that was never written has no entry."""
    lengths = np.zeros(part.shape[0], np.int64)
    for start, declared in _pieces(path, part):
        declared = declared[: len(lengths) - start]  # the last chunk goes beyond the end
        lengths[start : start + len(declared)] = declared
    return lengths


def _pieces(path: Path, part: Any) -> Iterator[tuple[int, _Array]]:
    """The first row and the lengths of each piece that is stored in one."""
    from h5py import h5d

    address_bytes, _ = part.file.id.get_create_plist().get_sizes()
    reference = _LENGTH_BYTES + address_bytes + _INDEX_BYTES
    layout = part.id.get_create_plist().get_layout()
    if layout == h5d.CHUNKED:
        for number in range(part.id.get_num_chunks()):
            start = part.id.get_chunk_info(number).chunk_offset
            mask, stored = part.id.read_direct_chunk(start)
            yield start[0], _first_words(_unfiltered(stored, part, mask, reference), reference)
    elif layout != h5d.CONTIGUOUS:
        raise ValueError("the references lie in a header")
    elif part.id.get_offset() is not None:
        with path.open("rb") as file:
            file.seek(part.id.get_offset())
            yield 0, _first_words(file.read(reference * part.shape[0]), reference)


def _first_words(content: bytes, reference: int) -> _Array:
    words = np.frombuffer(content, np.uint8).reshape(-1, reference)[:, :_LENGTH_BYTES]
    return np.ascontiguousarray(words).view("<u4").ravel()


def _unfiltered(stored: bytes, part: Any, mask: int, reference: int) -> bytes:
    """A chunk as it was before it was compressed."""
    pipeline = part.id.get_create_plist()
    size = part.chunks[0] * reference
    for number in reversed(range(pipeline.get_nfilters())):
        code = pipeline.get_filter(number)[0]
        if mask >> number & 1:
            continue
        if code == _DEFLATE:
            stored = zlib.decompressobj().decompress(stored, size)
        elif code == _SHUFFLE:
            stored = np.frombuffer(stored, np.uint8).reshape(reference, -1).T.tobytes()
        else:
            raise ValueError(f"filter {code} is not known")
    return stored
