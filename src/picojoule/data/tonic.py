"""Data sets of the tonic library, where the user has it."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import torch

from picojoule.data.event_frames import EventFrames
from picojoule.data.events import Events
from picojoule.data.whole_numbers import whole_numbers

_Array = np.ndarray[Any, Any]


class TonicDataset(Protocol):
    """What a data set of tonic is: numbered structured arrays of events with their labels."""

    def __len__(self) -> int:
        """The number of recordings."""
        ...

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        """Events, a structured array with fields t, x, y, p, and a label."""
        ...


def from_tonic(
    dataset: TonicDataset,
    num_timesteps: int,
    *,
    sensor_size: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    window_us: tuple[int, int] | None = None,
    time_unit_s: float | None = None,
    cache_bytes: int = 2**30,
) -> EventFrames:
    """A data set of tonic, without a transform, as frames.

    Labels are the data set's `targets` where they are integers, one a recording, and no
    `target_transform` changes them; otherwise every recording is read once for its label. The
    polarity of a sensor with one (tonic's cochleas send 1) is passed over.

    Args:
        dataset: `dataset[i]` is (events, label): a structured array with the fields `t`, `x`, `p`
            and, if the sensor has rows, `y`, all of whole numbers; and an integer.
        num_timesteps: frames a recording, >= 1.
        sensor_size: `(w, h, p)`, tonic's order; `dataset.sensor_size` if omitted.
        num_classes: labels are 0 to num_classes - 1; one more than the highest if omitted.
        window_us: `(start, stop)` of every recording; from its first to its last event if omitted.
        time_unit_s: what one is in `t`: 1.0 for seconds, 1e-3 for milliseconds; times are then
            rounded to microseconds. If omitted, `t` is in microseconds, and a time with a fraction
            is refused: it is likely to be in another unit.
        cache_bytes: memory that kept frames may take, as in `EventFrames`.

    Returns:
        Frames, float32 counts, `t p h w`, or `t w` if p and h are 1.

    Raises:
        TypeError: events or labels are not what is described above, for instance because the data
            set has a transform.
        ValueError: the size of the sensor is not known, a number is out of its range, or (when the
            recording is asked for) an event lies outside, or a time or a place is no whole number.

    Example:
        >>> class TwoTaps:
        ...     sensor_size = (3, 1, 1)
        ...     def __len__(self): return 2
        ...     def __getitem__(self, i):
        ...         return np.array([(0, i, 0), (9, 2, 0)], [("t", int), ("x", int), ("p", int)]), i
        >>> frames, label = from_tonic(TwoTaps(), num_timesteps=2)[1]
        >>> frames.tolist(), label
        ([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 1)

    Source: Lenz et al. 2021, "Tonic: event-based datasets and transformations".
    """
    width, height, num_polarities = _sensor_size(dataset, sensor_size)
    if time_unit_s is not None and not 0 < time_unit_s < math.inf:
        raise ValueError(f"from_tonic: time_unit_s is {time_unit_s}, expected seconds > 0.")
    recordings = _TonicRecordings(dataset, num_polarities > 1, time_unit_s)
    has_rows = (num_polarities, height) != (1, 1)
    return EventFrames(
        recordings,
        torch.tensor(_labels(dataset)),
        num_timesteps,
        (num_polarities, height, width) if has_rows else (width,),
        window_us=window_us,
        num_classes=num_classes,
        cache_bytes=cache_bytes,
        where=recordings.name,
    )


class _TonicRecordings:
    def __init__(
        self, dataset: TonicDataset, has_polarities: bool, time_unit_s: float | None
    ) -> None:
        self.dataset, self.has_polarities = dataset, has_polarities
        self.time_unit_s = time_unit_s

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int, /) -> Events:
        events, _ = self.dataset[index]
        fields = getattr(getattr(events, "dtype", None), "names", None) or ()
        if not {"t", "x", "p"} <= set(fields):
            came = f"fields {', '.join(fields)}" if fields else type(events).__name__
            raise TypeError(
                f"from_tonic: recording {index} is {came}, expected a structured array with fields "
                "t, x, y, p. Give the data set without a transform."
            )
        none = np.zeros(np.shape(events), np.int64)
        columns = (
            self._times_us(self._column(events, "t", index), index),
            self._whole(events, "x", index),
            self._whole(events, "y", index) if "y" in fields else none,
            self._whole(events, "p", index) if self.has_polarities else none,
        )
        return Events(*map(torch.from_numpy, columns))

    def name(self, index: int) -> str:
        return f"from_tonic: recording {index} of {type(self.dataset).__name__}"

    def _column(self, events: _Array, field: str, index: int) -> _Array:
        column = events[field]
        if column.dtype.kind not in "biuf" or column.ndim != 1:
            raise TypeError(
                f"{self.name(index)}: {field} is {column.dtype} of shape {column.shape}, expected a "
                "number an event, (n,)."
            )
        return column

    def _whole(self, events: _Array, field: str, index: int) -> _Array:
        return whole_numbers(self._column(events, field, index), self._entry(field, index))

    def _times_us(self, times: _Array, index: int) -> _Array:
        if self.time_unit_s is not None:
            with np.errstate(over="ignore"):
                times = np.rint(times.astype(np.float64) * (self.time_unit_s * 1e6))
        advice = (
            "expected whole microseconds; pass time_unit_s=1.0 for seconds, 1e-3 for milliseconds, "
            "or 1e-6 to round microseconds"
        )
        return whole_numbers(times, self._entry("t", index), advice)

    def _entry(self, field: str, index: int) -> str:
        return f"{self.name(index)}: {field} of event"


def _sensor_size(dataset: TonicDataset, given: tuple[int, int, int] | None) -> tuple[int, int, int]:
    size = getattr(dataset, "sensor_size", None) if given is None else given
    try:
        width, height, num_polarities = (int(side) for side in size or ())
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"from_tonic: the sensor size of {type(dataset).__name__} is {size}, expected three "
            "numbers (w, h, p). Pass sensor_size=(w, h, p)."
        ) from error
    return width, height, num_polarities


def _labels(dataset: TonicDataset) -> list[int]:
    is_changed = getattr(dataset, "target_transform", None) is not None
    listed = [] if is_changed else list(getattr(dataset, "targets", ()))
    if len(listed) != len(dataset) or not all(map(_is_integer, listed)):
        listed = [dataset[index][1] for index in range(len(dataset))]
    for index, label in enumerate(listed):
        if not _is_integer(label) or not -(2**63) <= label < 2**63:
            raise TypeError(
                f"from_tonic: the label of recording {index} is {label!r}, expected an integer. "
                "Give the data set a target_transform that makes it one."
            )
    return [int(label) for label in listed]


def _is_integer(label: object) -> bool:
    return isinstance(label, int | np.integer) and not isinstance(label, bool)
