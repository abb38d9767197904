"""Recordings of any size, read a slice at a time, so that conversions take bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from picojoule.data.event_columns import as_events, check_time_unit, events_of_columns
from picojoule.data.event_fields import event_fields
from picojoule.data.events import Events
from picojoule.data.whole_numbers import whole_numbers

Ints = np.ndarray[Any, np.dtype[np.int64]]
SLICE = 2**20  # events that are converted at a time


class Slice(NamedTuple):
    """Consecutive events.

    Attributes:
        first: number of the first of them.
        t_us: int64 `n`, and so are the next three.
        x: column.
        y: row.
        p: polarity, or channel.
    """

    first: int
    t_us: Ints
    x: Ints
    y: Ints
    p: Ints


class Columns:
    """The events of `Events`, a structured array or a dict of columns, slice by slice.

    `Events` are taken as they are, with any number of channels in `p`; what else there is goes by the names and units of
    :func:`picojoule.data.as_events`.

    Args:
        given: the events.
        time_unit: of the times, where neither the name of the field nor its type says it.
        where: starts the message of an error.

    Raises:
        TypeError: it is none of these, or a column is not of numbers.
        ValueError: a field is missing, the columns differ in length, or `time_unit` is none.

    Example:
        >>> columns = Columns({"ts": [5, 7], "x": [0, 1], "y": [2, 2], "on": [True, False]}, None, "here")
        >>> [(part.first, part.t_us.tolist(), part.p.tolist()) for part in columns]
        [(0, [5, 7], [1, 0])]
    """

    def __init__(self, given: Any, time_unit: str | None, where: str) -> None:
        check_time_unit(time_unit, where)
        self._unit, self._where = time_unit, where
        self._is_events = isinstance(given, Events)
        by_name = _by_name(given, where)
        fields = Events._fields if self._is_events else event_fields(by_name, where)[:4]
        self._columns = {name: _column(by_name[name], f"{where}: {name}") for name in fields}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(f"{where}: the columns differ in length ({found}); expected n each.")
        self._length = next(iter(lengths.values()))
        self._kept: Slice | None = None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Slice]:
        """All slices in turn.

        Raises:
            ValueError: an entry is no number that fits; the message names the event.
        """
        if self._length <= SLICE:  # a short one is converted once
            self._kept = self._kept or self._slice(0)
            yield self._kept
            return
        for first in range(0, self._length, SLICE):
            yield self._slice(first)

    def _slice(self, first: int) -> Slice:
        part = {name: column[first : first + SLICE] for name, column in self._columns.items()}
        try:
            if self._is_events:
                own = [
                    _whole(column, f"{self._where}: {name} of event")
                    for name, column in part.items()
                ]
            else:
                own = [
                    column.numpy() for column in events_of_columns(part, self._unit, self._where)
                ]
        except (TypeError, ValueError) as error:
            raise _numbered_from(first, error) from error
        return Slice(first, *own)


def _by_name(given: Any, where: str) -> Mapping[str, Any]:
    if isinstance(given, Events):
        return given._asdict()
    if isinstance(given, Mapping):
        return given
    names = getattr(getattr(given, "dtype", None), "names", None)
    if names is not None:
        return {name: given[name] for name in names}
    try:
        return as_events(given)._asdict()  # says what is wrong with it
    except TypeError as error:
        raise TypeError(f"{where}: {str(error).partition(': ')[2]}") from error


def _column(column: Any, name: str) -> Any:
    """A column that can be sliced: an array or a tensor, `n`."""
    if isinstance(column, Tensor):
        column = column.detach().cpu()
        if column.layout != torch.strided:
            raise TypeError(f"{name} is a {column.layout} tensor, expected a dense one.")
    else:
        try:
            column = np.asarray(column)
        except ValueError as error:
            raise ValueError(f"{name} is no column of numbers ({error}).") from error
    if column.ndim != 1:
        raise ValueError(
            f"{name} has shape {tuple(column.shape)}, expected a number an event, (n,)."
        )
    return column


def _whole(column: Any, name: str) -> Ints:
    if isinstance(column, Tensor):
        column = (column.double() if column.is_floating_point() else column).numpy()
    if column.dtype == np.int64:
        return column  # type: ignore[no-any-return]
    if column.dtype.kind not in "iuf":
        raise TypeError(f"{name.removesuffix(' of event')} is {column.dtype}, expected integers.")
    return whole_numbers(column, name)


def _numbered_from(first: int, error: TypeError | ValueError) -> TypeError | ValueError:
    """The same error, its event numbered from the first of all."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(
        re.sub(r"\bevent (\d+)", lambda at: f"event {int(at[1]) + first}", str(error), count=1)
    )
