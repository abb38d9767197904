"""Events in NumPy's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from picojoule.data.event_columns import events_of_columns
from picojoule.data.events import Events
from picojoule.data.npy import npy_header


def read_npy_events(
    path: Path, *, time_unit: str | None = None, columns: Sequence[str] | None = None
) -> Events:
    """The events in an `.npy` file: a structured array, or a matrix `n c` whose columns are named.

    Args:
        path: what `numpy.save` wrote.
        time_unit: as in `as_events`.
        columns: of a matrix, from left to right, such as ("t", "x", "y", "p").

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no array of events as `as_events` takes them, a matrix comes without names or a
            structured array with them; the message names the file and what is wrong in it.
        TypeError: a column is not of numbers.

    Example:
        >>> path = getfixture("tmp_path") / "tap.npy"
        >>> np.save(path, np.array([[3, 1, 1, 90], [4, 1, 0, 95]]))
        >>> read_npy_events(path, columns=("x", "y", "p", "t"))
        Events(t_us=tensor([90, 95]), x=tensor([3, 4]), y=tensor([1, 1]), p=tensor([1, 0]))

    Source: NumPy, "numpy.lib.format".
    """
    with path.open("rb") as file:
        shape, is_fortran, dtype = npy_header(file, path, "biufV")
        start = file.tell()
    _check_shape(shape, dtype.names, columns, path)
    if 0 in shape:
        values = np.zeros(shape, dtype)
    else:
        values = np.memmap(path, dtype, "r", start, shape, "F" if is_fortran else "C")
    if dtype.names is not None:
        by_name = {name: values[name] for name in dtype.names}
    else:
        by_name = {str(name): values[:, k] for k, name in enumerate(columns or ())}
    return events_of_columns(by_name, time_unit, str(path))


def _check_shape(
    shape: tuple[int, ...],
    fields: tuple[str, ...] | None,
    columns: Sequence[str] | None,
    path: Path,
) -> None:
    if fields is not None and columns is not None:
        raise ValueError(
            f"{path}: its fields are named already ({', '.join(fields)}). Leave columns out."
        )
    if fields is not None and len(shape) != 1:
        raise ValueError(f"{path}: its array has shape {shape}, expected (n,).")
    if fields is not None:
        return
    if columns is None:
        raise ValueError(
            f"{path}: an array of shape {shape} without names, expected fields t, x, y, p. Name the columns of a "
            'matrix: columns=("t", "x", "y", "p"), in their order.'
        )
    if len(shape) != 2 or shape[1] != len(columns) or len(set(columns)) < len(columns):
        raise ValueError(
            f"{path}: an array of shape {shape}, and columns are {tuple(columns)}; expected (n, {len(columns)}), and "
            "every name once."
        )
