"""What arrives at the weights of a stage, as a dense sequence, straight from the events that there are.

The way over the source's own dense sequence writes and reads far more: behind a pooling of 2 x 2 four times as much.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from picojoule.events.axes import Places
from picojoule.events.graph import EventGraph, Stage, Term
from picojoule.events.kernels.compiled import compiled
from picojoule.events.kernels.tables import ArrivedPlaces
from picojoule.events.program import Program, run_kernel_on
from picojoule.events.states import Samples
from picojoule.events.tap_tables import Ints, int32


def can_be_added_up(stage: Stage, term: Term) -> bool:
    """Whether what arrives is a sum of events, to the bit: of a pooling's largest it is not, nor of a mean over nine, which rounds."""
    return not stage.takes_largest and math.frexp(term.factor)[0] == 0.5


class Arrived:
    """The dense sequences at the weights of one term.

    Args:
        program: whose events.
        graph: the network.
        term: the term; :func:`can_be_added_up`.
    """

    def __init__(self, program: Program, graph: EventGraph, term: Term) -> None:
        source = graph.signal(term.source)
        channels, places = source.channels + term.channel_shift, math.prod(term.grid)
        self._first, self._at = _places(term.places, term.grid)
        self._factor, self._steps = term.factor, program.steps
        self._shape: tuple[int, ...] = (channels * places,)
        if not term.is_flat:
            self._shape = (channels, *term.grid) if term.channels_first else (*term.grid, channels)
        self._places = ArrivedPlaces(
            num_steps=program.steps,
            size=channels * places,
            which=0,
            frames=0,
            place_first=self._first.ctypes.data,
            place_at=self._at.ctypes.data,
            places_apart=1 if term.channels_first else channels,
            channels_apart=places if term.channels_first else 1,
            shift=term.channel_shift,
            **program.events[term.source].addresses(),
        )

    def of_events(self, which: Samples) -> Tensor:
        """The sequences of some samples, `(b t) *n`."""
        frames = torch.empty(len(which) * self._steps, *self._shape, dtype=torch.float32)
        places = self._places._replace(which=which.ctypes.data, frames=frames.data_ptr())
        run_kernel_on(compiled("arrived_of_events"), places, len(which))
        return frames if self._factor == 1 else frames.mul_(self._factor)


def _places(along: tuple[Places, ...], grid: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Where the places of each position begin, and the places."""
    rows: list[list[int]] = [[0]]
    for axis, size in zip(along, grid, strict=True):
        rows = [[a * size + b for a in row for b in places] for row in rows for places in axis]
    first = np.cumsum([0, *map(len, rows)])
    return int32(first), int32(np.array([place for row in rows for place in row] or [0], np.int64))
