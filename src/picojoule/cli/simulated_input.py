"""What a network is simulated on: a recording of events, or a raster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from picojoule.cli.model_input import model_input
from picojoule.data import Events, events_to_frames, read_events
from picojoule.data.event_columns import TimeUnit
from picojoule.data.npy import npy_header

_MOST_STEPS = 2**24
_RASTERS = (".npy", ".pt", ".pth")


@dataclass(frozen=True)
class Recording:
    """Events in the order of time, and the steps that they are in.

        step = floor((t_us - start_us) / dt_us)

    Args:
        events: sorted.
        shape: of a step, (p, h, w) or (n,).
        dt_us: length of a step.
        start_us: the first event's time, where step 0 begins.
        steps: as many as the last event needs.
        words: what it is.
        notes: what was done to it.
    """

    events: Events
    shape: tuple[int, ...]
    dt_us: int
    start_us: int
    steps: int
    words: str
    notes: tuple[str, ...] = ()

    batch = 1

    def frames(self, first: int, last: int) -> Tensor:
        """Counts of the events of steps `first` to `last`, `1 t *n`."""
        begin, end = (self.start_us + step * self.dt_us for step in (first, last))
        a, b = torch.searchsorted(self.events.t_us, torch.tensor([begin, end])).tolist()
        part = Events(*(column[a:b] for column in self.events))
        return events_to_frames(part, last - first, self.shape, window_us=(begin, end))[None]

    def events_by_step(self) -> Tensor:
        """Their number, `1 t`."""
        step = (self.events.t_us - self.start_us) // self.dt_us
        return torch.bincount(step, minlength=self.steps)[None]


@dataclass(frozen=True)
class Raster:
    """A tensor in the model's input shape.

    Args:
        values: as it was saved, float32.
        words: what it is.
    """

    values: Tensor
    words: str


def read_input(
    file: Path,
    *,
    dt_us: int | None,
    time_unit: TimeUnit | None,
    columns: list[str] | None,
) -> Events | Raster:
    """The file's events, or its raster: an `.npy` file without fields, or a `.pt` file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, of no known format, or a recording without `--dt-us`.
    """
    if file.is_dir():
        raise IsADirectoryError(
            f"EVENTS is {str(file)!r}, a folder; name one recording or raster in it. Labelled data go to --data."
        )
    if not _is_recording(file, columns):
        return _read_raster(file)
    if dt_us is None:
        raise ValueError(
            f"--dt-us is missing: the length of a time step, in which the events of {file} are counted, in microseconds. "
            "Take the one that the model was trained with, such as --dt-us 1000."
        )
    try:
        return read_events(file, time_unit=time_unit, columns=columns)
    except ValueError as error:
        told = str(error).replace("time_unit=", "--time-unit ").replace("time_unit", "--time-unit")
        raise ValueError(told) from error


def _is_recording(file: Path, columns: list[str] | None) -> bool:
    if columns is not None or file.suffix.lower() not in _RASTERS:
        return True
    if file.suffix.lower() != ".npy":
        return False
    with file.open("rb") as opened:
        return npy_header(opened, file, "biufV")[2].fields is not None


def _read_raster(file: Path) -> Raster:
    shown = model_input([str(file)], rate=0, dense=False, seed=0)
    if len(shown.args) != 1 or shown.kwargs or not isinstance(shown.args[0], Tensor):
        raise ValueError(f"{file} holds several tensors, expected one in the model's input shape.")
    values = shown.args[0].detach()
    if values.layout != torch.strided:
        values = values.to_dense()
    if values.ndim == 2 and values.shape[1] == 4:
        raise ValueError(
            f"{file} is a matrix of 4 columns. If these are events, name them in their order: --columns t,x,y,p."
        )
    return Raster(values.float(), shown.words)


def recording(events: Events, file: Path, shape: tuple[int, ...], dt_us: int) -> Recording:
    """Events cut into steps, from the first event on.

    Raises:
        ValueError: there are none, one lies outside the sensor, or the steps are too many.
    """
    if not len(events.t_us):
        raise ValueError(f"{file} holds no events.")
    notes = []
    falls = int((events.t_us[1:] < events.t_us[:-1]).sum())
    if falls:
        order = events.t_us.argsort(stable=True)
        events = Events(*(column[order] for column in events))
        notes.append(f"times fall at {falls:,} of the events; they were sorted by time.")
    _check_inside(events, file, shape)
    start_us, stop_us = int(events.t_us[0]), int(events.t_us[-1])
    if start_us < 0:
        raise ValueError(
            f"{file}: its first event is at {start_us:,} us, and times begin at 0. Add {-start_us:,} us to all of them."
        )
    if start_us:
        notes.append(f"time 0 is that of the first event, at {start_us:,} us in the file.")
    steps = (stop_us - start_us) // dt_us + 1
    length_s = (stop_us - start_us) / 1e6
    if steps > _MOST_STEPS:
        raise ValueError(
            f"{file} lasts {length_s:,.6g} s, which are {steps:,} steps of --dt-us {dt_us}; expected at most {_MOST_STEPS:,}. "
            "Give longer steps; or, if its times are not in microseconds, --time-unit."
        )
    words = (
        f"{file}, {len(events.t_us):,} events in {length_s:,.6g} s, {steps:,} time step{'s' if steps > 1 else ''} "
        f"of {dt_us / 1000:g} ms"
    )
    return Recording(events, shape, dt_us, start_us, steps, words, tuple(notes))


def _check_inside(events: Events, file: Path, shape: tuple[int, ...]) -> None:
    """Before anything is compiled: in the words of the options."""
    sides = (1, 1, *shape) if len(shape) == 1 else shape
    names = "p, h, w" if len(shape) == 3 else "n"
    for column, side in zip(("p", "y", "x"), sides, strict=True):
        places = getattr(events, column)
        outside = (places < 0) | (places >= side)
        if bool(outside.any()):
            at = int(outside.int().argmax())
            raise ValueError(
                f"{file}: {column} of event {at} is {int(places[at])}, but the model takes ({names}) = "
                f"{', '.join(map(str, shape))}, so 0 to {side - 1}; {int(outside.sum()):,} of {len(places):,} events are "
                "outside. Crop or merge the events first; or, if the model takes more, say so with --size."
            )
