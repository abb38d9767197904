"""Events of steps that cannot run yet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from picojoule.events.inputs.columns import Ints
from picojoule.events.inputs.step_events import StepEvents, counted, merged

_MOST = 2**18  # events that are kept one by one, at least


class Waiting:
    """Events that wait, in memory bounded by the neurons of the steps that they belong to.

    Args:
        neurons: of a step.

    Example:
        >>> waiting = Waiting(neurons=4)
        >>> waiting.add(np.array([0, 1, 0]), np.array([2, 3, 2]))
        >>> waiting.before(1), len(waiting.before(2).step)
        (StepEvents(step=array([0]), neuron=array([2]), value=array([2])), 1)
    """

    def __init__(self, neurons: int) -> None:
        self._neurons = neurons
        self._counted = StepEvents.none()
        self._single: list[tuple[Ints, Ints]] = []
        self._num_single = 0

    def add(self, step: Ints, neuron: Ints) -> None:
        """More events."""
        if len(step):
            self._single.append((step, neuron))
            self._num_single += len(step)
            if self._num_single > max(_MOST, 2 * len(self._counted.step)):
                self._count()

    def before(self, step: int) -> StepEvents:
        """Those before a step, which no longer wait."""
        self._count()
        until = self._counted.before(step)
        taken, rest = self._counted.part(0, until), self._counted.part(until)
        # copies: what is left does not hold on to what is gone
        self._counted = StepEvents(*(column.copy() for column in rest))
        return taken

    def last_step(self) -> int:
        """The last step that an event waits for; -1 for none."""
        self._count()
        return int(self._counted.step[-1]) if len(self._counted.step) else -1

    def _count(self) -> None:
        if self._single:
            step, neuron = (np.concatenate(columns) for columns in zip(*self._single, strict=True))
            self._single, self._num_single = [], 0
            self._counted = merged(
                self._counted, counted(step, neuron, self._neurons), self._neurons
            )


class Recording:
    """A sorted recording, from which steps are taken one after the other.

    Args:
        slices: steps, neurons and largest time of some events each, in the order of time.
        neurons: of a step.
    """

    def __init__(self, slices: Iterator[tuple[Ints, Ints, int]], neurons: int) -> None:
        self._slices, self._waiting, self._read = slices, Waiting(neurons), -1

    def before(self, step: int) -> StepEvents:
        """Events before a step that were not taken yet."""
        while self._read < step:
            steps, neuron, _ = next(self._slices, (None, None, None))
            if steps is None or neuron is None:
                break
            self._waiting.add(steps, neuron)
            self._read = int(steps[-1])
        return self._waiting.before(step)
