"""Events from the arrays of others: fields in any order, under any usual name, times in a stated unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from picojoule.data.event_fields import UNITS, event_fields
from picojoule.data.events import Events
from picojoule.data.whole_numbers import whole_numbers

_Array = np.ndarray[Any, Any]

TimeUnit = Literal["s", "ms", "us", "ns"]

_US_PER_UNIT = {"s": 10**6, "ms": 10**3, "us": 1}
_NS_PER_US = 1000
_LARGEST = 2**63 - 1  # of an int64


def as_events(
    given: Events | _Array | Mapping[str, Any], *, time_unit: TimeUnit | None = None
) -> Events:
    """Events from a structured array or a dict of columns, whatever their fields are called.

        t_us = t * 10^6, t * 10^3, t, t / 10^3   for s, ms, us, ns, to the nearest microsecond
        p = 0, 1   for False, True;  for 0, 1;  for -1, +1

    The names are those of `picojoule.data.event_fields`: `t`, `ts`, `time`, `timestamp` ..., `x`, `y`,
    `p`, `pol`, `polarity`, `on` ..., in any order, among others. A column that is int64 already is not
    copied: the events share its memory.

    Args:
        given: a structured array, `n`, with the fields t, x, y, p; a dict of columns (arrays, tensors or
            lists), `n` each; or `Events`.
        time_unit: of the times. If omitted, that in the field's name (`t_ms`); then, for integers,
            microseconds. Times with a fraction are refused without a stated unit: they may be seconds.

    Returns:
        The events in the order given, int64 `n`.

    Raises:
        TypeError: what came is no structured array, dict or Events, or a column is not of numbers.
        ValueError: a field is missing, has two names, or is not `n`; an entry is NaN, has a fraction, or is beyond
            int64; a place is negative; a polarity is none; a unit is not stated, or stated twice
            differently. The message names the field and the first such event.

    Example:
        >>> seconds = np.array([(3, 1, True, 0.5)], [("x", "u2"), ("y", "u2"), ("on", "?"), ("ts", "f8")])
        >>> as_events(seconds, time_unit="s")
        Events(t_us=tensor([500000]), x=tensor([3]), y=tensor([1]), p=tensor([1]))
    """
    check_time_unit(time_unit, "as_events")
    return events_of_columns(_by_name(given), time_unit, "as_events")


def check_time_unit(time_unit: str | None, where: str) -> None:
    """Raise ValueError if it is no unit of time."""
    if time_unit is not None and time_unit not in UNITS:
        raise ValueError(f"{where}: time_unit is {time_unit!r}, expected one of {_listed(UNITS)}.")


def events_of_columns(columns: Mapping[str, Any], time_unit: str | None, where: str) -> Events:
    """What `as_events` says, of columns by their names.

    Args:
        columns: `n` each, by name.
        time_unit: as in `as_events`.
        where: starts the message of an error: a function, or a file.
    """
    fields = event_fields(columns, where)
    numbers = [_numbers(columns[name], f"{where}: {name}") for name in fields[:4]]
    if len({len(column) for column in numbers}) > 1:
        lengths = ", ".join(
            f"{name} {len(column)}" for name, column in zip(fields, numbers, strict=False)
        )
        raise ValueError(f"{where}: the columns differ in length ({lengths}); expected n each.")
    t, x, y, p = numbers
    unit = _unit(fields.t, fields.unit, time_unit, where)
    return Events(
        *map(
            _shared,
            (
                _times_us(t, unit, time_unit is not None, f"{where}: {fields.t}"),
                _places(x, f"{where}: {fields.x}"),
                _places(y, f"{where}: {fields.y}"),
                _polarities(p, f"{where}: {fields.p}"),
            ),
        )
    )


def _by_name(given: Events | _Array | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(given, Events):
        return given._asdict()
    if isinstance(given, Mapping):
        return given
    names = getattr(getattr(given, "dtype", None), "names", None)
    if names is None:
        came = type(given).__name__
        if isinstance(given, np.ndarray | Tensor):
            came = f"{came} of {given.dtype}, {tuple(given.shape)}"
        raise TypeError(
            f"as_events: {came} came, expected a structured array, a dict of columns, or Events. "
            'Name the columns of a matrix: {"t": m[:, 0], "x": m[:, 1], "y": m[:, 2], "p": m[:, 3]}.'
        )
    return {name: given[name] for name in names}


def _numbers(column: Any, name: str) -> _Array:
    """A column as an array of numbers, `n`."""
    if isinstance(column, Tensor):
        column = column.detach().cpu()
        column = (column.double() if column.is_floating_point() else column).numpy()
    if np.ma.is_masked(column):
        raise ValueError(f"{name} has masked entries. Leave these events out: column[~mask].data.")
    try:
        numbers = np.asarray(column)
    except ValueError as error:
        raise ValueError(f"{name} is no column of numbers ({error}).") from error
    if numbers.ndim != 1:
        raise ValueError(f"{name} has shape {numbers.shape}, expected a number an event, (n,).")
    if numbers.size == 0:
        return np.zeros(0, np.int64)
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"{name} is {numbers.dtype}, expected numbers.")
    return numbers


def _unit(field: str, named: str | None, stated: str | None, where: str) -> str | None:
    if named is not None and stated is not None and named != stated:
        raise ValueError(
            f"{where}: time_unit is {stated!r}, but the field {field!r} is in {named}. Leave time_unit "
            "out, or rename the field."
        )
    return stated or named


def _times_us(times: _Array, unit: str | None, is_stated: bool, name: str) -> _Array:
    """Times in microseconds; fractions are rounded where the unit is certain."""
    if times.dtype.kind == "b":
        raise TypeError(f"{name} is bool, expected times.")
    if times.dtype.kind != "f":
        return _whole_times_us(_whole(times, name), unit or "us", name)
    if unit is None:
        raise ValueError(
            f"{name} is {times.dtype} (event 0: {times[0]}), and nothing says in which unit. Pass "
            f"time_unit, one of {_listed(UNITS)}."
        )
    if unit == "us" and not is_stated:  # a name may be wrong: a fraction is likely of a second
        advice = "expected whole microseconds; pass time_unit='us' to round them, or the unit they are in"
        return whole_numbers(times, f"{name} of event", advice)
    with np.errstate(over="ignore"):
        times = times.astype(np.float64)
        times = times / _NS_PER_US if unit == "ns" else times * _US_PER_UNIT[unit]
        times = np.rint(times)
    return whole_numbers(times, f"{name} of event", "in microseconds; expected a time within int64")


def _whole_times_us(times: _Array, unit: str, name: str) -> _Array:
    if unit == "us":
        return times
    if unit == "ns":
        return times // _NS_PER_US + (times % _NS_PER_US >= _NS_PER_US // 2)
    factor = _US_PER_UNIT[unit]
    most = _LARGEST // factor
    if len(times) and (times.min() < -most or times.max() > most):
        at = int(((times < -most) | (times > most)).argmax())
        raise ValueError(
            f"{name} of event {at} is {times[at]} {unit}, expected a time that int64 can hold in "
            "microseconds."
        )
    return times * factor


def _places(column: _Array, name: str) -> _Array:
    places = _whole(column, name)
    if len(places) and places.min() < 0:
        at = int((places < 0).argmax())
        raise ValueError(f"{name} of event {at} is {places[at]}, expected >= 0.")
    return places


def _polarities(column: _Array, name: str) -> _Array:
    signs = _whole(column, name)
    lowest, highest = (signs.min(), signs.max()) if len(signs) else (0, 0)
    if lowest >= 0 and highest <= 1:
        return signs
    is_signed = lowest == -1
    faulty = (signs != -1) & (signs != 1) if is_signed else (signs < 0) | (signs > 1)
    if faulty.any():
        at = int(faulty.argmax())
        expected = "-1 or +1, as others are" if is_signed else "0 or 1, or -1 or +1"
        raise ValueError(f"{name} of event {at} is {signs[at]}, expected {expected}.")
    return (signs > 0).astype(np.int64)


def _whole(column: _Array, name: str) -> _Array:
    """As int64; one that is int64 already is not copied."""
    if column.dtype == np.int64:
        return column
    return whole_numbers(column, f"{name} of event")


def _shared(column: _Array) -> Tensor:
    """A tensor over the column's memory, where PyTorch can have it so."""
    stride = column.strides[0]
    if not (column.flags.writeable and column.flags.aligned and stride > 0 and stride % 8 == 0):
        column = np.array(column)
    return torch.from_numpy(column)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(map(repr, words))
