"""Events of a camera or a cochlea, and the frames they are counted into."""

from __future__ import annotations

import math
import operator
from typing import NamedTuple

import torch
from torch import Tensor

_LARGEST = 2**63 - 1  # of an int64


class Events(NamedTuple):
    """What an event sensor sent, one entry an event, all int64 `n`.

    Attributes:
        t_us: when, in microseconds.
        x: column, or the channel of a sensor that has but one row.
        y: row, from the top.
        p: polarity, 0 where it became darker (OFF), 1 where it became brighter (ON).

    Example:
        >>> events = Events(*torch.tensor([[0, 90], [3, 4], [1, 1], [0, 1]]))
        >>> events.t_us.tolist(), events.p.tolist()
        ([0, 90], [0, 1])
    """

    t_us: Tensor
    x: Tensor
    y: Tensor
    p: Tensor


def events_to_frames(
    events: Events,
    num_timesteps: int,
    size: tuple[int, ...],
    *,
    window_us: tuple[int, int] | None = None,
) -> Tensor:
    """Count events into frames of equal length; every event is counted once.

        step = floor((t_us - start) * num_timesteps / (stop - start)),   start <= t_us < stop

    Args:
        events: of one recording, in any order, integers `n`; none give frames of zeros.
        num_timesteps: number of frames, >= 1.
        size: `(p, h, w)` of the sensor, or `(n,)` of one with channels only, whose y and p are 0.
        window_us: `(start, stop)`, whole numbers, stop excluded. If omitted: the first event's time,
            and the last event's plus one microsecond, so that the last event falls into the last frame.

    Returns:
        Counts, float32, `t p h w` or `t n`.

    Raises:
        ValueError: an event lies outside the sensor or the window, a number is out of its range, the
            events or the window span more than int64 can count, or the columns are not `n` each.
        TypeError: a column or the window is not of integers (times in seconds, for instance).

    Example:
        >>> events = Events(*torch.tensor([[0, 49, 50, 99], [0, 0, 1, 1], [0] * 4, [1] * 4]))
        >>> frames = events_to_frames(events, num_timesteps=2, size=(2, 1, 2))
        >>> frames.shape, frames[:, 1, 0].tolist()
        (torch.Size([2, 2, 1, 2]), [[2.0, 0.0], [0.0, 2.0]])
    """
    if num_timesteps < 1:
        raise ValueError(f"events_to_frames: num_timesteps is {num_timesteps}, expected >= 1.")
    if len(size) not in (1, 3) or min(size) < 1:
        raise ValueError(f"events_to_frames: size is {size}, expected (p, h, w) or (n,).")
    events = _integers(events)
    num_polarities, height, width = (1, 1, *size) if len(size) == 1 else size
    for name, values, limit in (
        ("x", events.x, width),
        ("y", events.y, height),
        ("p", events.p, num_polarities),
    ):
        _check_within(name, values, 0, limit)
    if window_us is None:
        start, stop = _span(events.t_us, num_timesteps)
    else:
        start, stop = checked_window(window_us, num_timesteps)
        _check_within("t_us", events.t_us, start, stop)
    step = (events.t_us - start) * num_timesteps // (stop - start)
    place = ((step * num_polarities + events.p) * height + events.y) * width + events.x
    counts = torch.bincount(place, minlength=num_timesteps * math.prod(size))
    return counts.float().reshape(num_timesteps, *size)


def checked_window(window_us: tuple[int, int], num_timesteps: int) -> tuple[int, int]:
    """The start and the stop of a window that `num_timesteps` frames can be counted in.

    Raises:
        TypeError: they are not two integers.
        ValueError: the stop is not after the start, or int64 cannot count so far.
    """
    try:
        start, stop = map(operator.index, window_us)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"events_to_frames: window_us is {window_us}, expected two integers, in microseconds."
        ) from error
    if stop <= start:
        raise ValueError(f"events_to_frames: window_us is {window_us}, expected start < stop.")
    if start < -_LARGEST or stop > _LARGEST or (stop - start) * num_timesteps > _LARGEST:
        raise ValueError(
            f"events_to_frames: window_us is {window_us}; {num_timesteps} frames can span at most "
            f"{_LARGEST // num_timesteps} us."
        )
    return start, stop


def _span(t_us: Tensor, num_timesteps: int) -> tuple[int, int]:
    """From the first event to one microsecond after the last."""
    if len(t_us) == 0:
        return 0, 1
    first, last = int(t_us.argmin()), int(t_us.argmax())
    start, stop = int(t_us[first]), int(t_us[last]) + 1
    if (stop - start) * num_timesteps > _LARGEST:
        raise ValueError(
            f"events_to_frames: t_us goes from {start} at event {first} to {stop - 1} at event {last}; "
            f"{num_timesteps} frames can span at most {_LARGEST // num_timesteps} us. One of them is "
            "damaged, or not in microseconds."
        )
    return start, stop


def _integers(events: Events) -> Events:
    for name, column in events._asdict().items():
        if not isinstance(column, Tensor):
            kind = type(column).__name__
            raise TypeError(f"events_to_frames: {name} is of type {kind}, expected a tensor.")
    shapes = [tuple(column.shape) for column in events]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(
            f"events_to_frames: the events have columns of shape {', '.join(map(str, shapes))}; expected (n,) each."
        )
    return Events(*(_integer(name, column) for name, column in events._asdict().items()))


def _integer(name: str, column: Tensor) -> Tensor:
    if column.is_floating_point() or column.is_complex() or column.dtype == torch.bool:
        unit = " of microseconds" if name == "t_us" else ""
        raise TypeError(f"events_to_frames: {name} is {column.dtype}, expected integers{unit}.")
    wide = column.to(torch.int64)
    if column.dtype == torch.uint64 and bool((wide < 0).any()):
        at = int((wide < 0).nonzero()[0])
        raise ValueError(
            f"events_to_frames: {name} of event {at} is {int(wide[at]) + 2**64}, expected at most {_LARGEST}."
        )
    return wide


def _check_within(name: str, values: Tensor, start: int, stop: int) -> None:
    outside = (values < start) | (values >= stop)
    if outside.any():
        at = int(outside.nonzero()[0])
        raise ValueError(
            f"events_to_frames: {name} of event {at} is {int(values[at])}, expected {start} to "
            f"{stop - 1}; {int(outside.sum())} of {len(values)} events are outside."
        )
