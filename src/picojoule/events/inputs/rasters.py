"""What a network is given for some steps: dense sequences, COO tensors and recordings, one piece of time after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from picojoule.events.engine import Engine
from picojoule.events.inputs.step_events import StepEvents, counted
from picojoule.events.inputs.waiting import Recording


class Raster(Protocol):
    """An input of a network."""

    def run(self, engine: Engine, first: int) -> Tensor:
        """What an engine gives out, `b t *m`, for its number of steps from `first` on."""
        ...


class DenseRaster:
    """A dense sequence, `b t *n`.

    Args:
        frames: the sequence.
        check: raises an error if a value may not be in it; called before anything changes, if one may be wrong.
    """

    def __init__(self, frames: Tensor, check: Callable[[], None] | None = None) -> None:
        self._frames, self._check = frames, check

    def run(self, engine: Engine, first: int) -> Tensor:
        """As of any raster."""
        return engine.run(
            self._frames[:, first : first + engine.steps].contiguous(), check=self._check
        )


class RecordedRaster:
    """A recording a sample; steps are taken in order."""

    def __init__(self, recordings: list[Recording]) -> None:
        self._recordings = recordings

    def run(self, engine: Engine, first: int) -> Tensor:
        """As of any raster."""
        until = first + engine.steps
        engine.run_events([own.before(until).since(first) for own in self._recordings])
        return engine.frames_out()


class SparseRaster:
    """A sparse COO tensor of a model's input, with any number of sparse axes; entries at one place are added up.

    Args:
        x: `b t *n` or `(b t) *n`.
        batch: b.
        steps: t.

    Raises:
        ValueError: an index lies outside the shape, or a sum is not finite; the message names the entry.
    """

    def __init__(self, x: Tensor, batch: int, steps: int) -> None:
        self._steps = steps
        neurons = x.numel() // max(batch * steps, 1)
        place, values = _entries(x)
        of_step, neuron = np.divmod(place, max(neurons, 1))
        events = counted(of_step, neuron, max(neurons, 1), values)
        kept = np.flatnonzero(events.value)
        self._events = StepEvents(*(column[kept] for column in events))
        _check_finite(self._events, x, neurons)
        self._batch = batch

    def run(self, engine: Engine, first: int) -> Tensor:
        """As of any raster."""
        parts = []
        for sample in range(self._batch):
            begin = sample * self._steps + first
            a, b = self._events.before(begin), self._events.before(begin + engine.steps)
            parts.append(self._events.part(a, b).since(begin))
        engine.run_events(parts)
        return engine.frames_out()


def _entries(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Where each entry lies in the tensor as one row, int64 `n`, and its value."""
    x = x.detach()
    indices, values = x._indices(), x._values()
    sizes = torch.tensor(x.shape[: x.sparse_dim()])[:, None]
    outside = (indices < 0) | (indices >= sizes)
    if bool(outside.any()):
        at = int(outside.any(0).nonzero()[0])
        raise ValueError(
            f"EventNetwork: entry {at} of the input has index {indices[:, at].tolist()}, outside its shape {tuple(x.shape)}."
        )
    place = torch.zeros(indices.shape[1], dtype=torch.int64)
    for axis, size in enumerate(x.shape[: x.sparse_dim()]):
        place = place * size + indices[axis]
    if values.ndim > 1:  # the other axes are dense
        inner = values[0].numel() if len(values) else 1
        values = values.reshape(len(values), inner)
        entry, within = values.nonzero(as_tuple=True)
        place, values = place[entry] * inner + within, values[entry, within]
    return place.numpy(), values.numpy()


def _check_finite(events: StepEvents, x: Tensor, neurons: int) -> None:
    bad = ~np.isfinite(events.value)
    if bad.any():
        at = int(bad.argmax())
        place = int(events.step[at]) * neurons + int(events.neuron[at])
        where = [int(i) for i in np.unravel_index(place, tuple(x.shape))]
        raise ValueError(
            f"EventNetwork: the input at {where} is not finite; expected numbers of spikes, or finite values. The states "
            "stay as they were."
        )
