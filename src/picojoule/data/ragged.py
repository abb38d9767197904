"""Ragged HDF5 data sets, one row of any length an entry, read by their published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from picojoule.hdf5_heaps import references, stored_object

_Array = np.ndarray[Any, Any]


class RaggedRows:
    """The rows of a ragged data set of numbers; `rows[i]` is one, with the file's dtype.

    They are read past the HDF5 library (see `picojoule.hdf5_heaps`): no more is read than the file holds. It is
    opened for each row, so that workers can share it.

    Args:
        path: the file.
        part: an `h5py.Dataset` of it, `(n,)`, that holds its data itself.

    Raises:
        ValueError: its rows are no numbers, or its references or (when it is asked for) a row are damaged;
            the message names the file, the data set and the row.
    """

    def __init__(self, path: Path, part: Any) -> None:
        self.path, self._where = path, f"{path}: {part.name.strip('/')}"
        try:
            self.dtype = _row_dtype(part)
            _, self._size_bytes = part.file.id.get_create_plist().get_sizes()
            self._offset = part.file.userblock_size
            self._references = references(path, part)
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
        content = stored_object(self.path, self._offset + address, number, self._size_bytes)
        if content is None:
            raise ValueError(
                f"{self._where}: row {index} is not where it is said to be, in a sound heap at byte "
                f"{self._offset + address}. The file is damaged; fetch it again."
            )
        if len(content) != length * self.dtype.itemsize:
            raise ValueError(
                f"{self._where}: row {index} declares {length} numbers of {self.dtype}, but "
                f"{len(content)} bytes are stored. The file is damaged; fetch it again."
            )
        return np.frombuffer(content, self.dtype)


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
