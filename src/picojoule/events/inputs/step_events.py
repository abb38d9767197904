"""Events counted into time steps, as the engine takes and gives them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from picojoule.events.inputs.columns import Ints

Array = np.ndarray[Any, Any]


class StepEvents(NamedTuple):
    """What a signal has in some steps: each pair of step and neuron once, in the order of the pairs.

    Attributes:
        step: time step, int64 `n`.
        neuron: within the step as PyTorch counts them, int64 `n`.
        value: number of spikes, or a value; int64 or float32 `n`.
    """

    step: Ints
    neuron: Ints
    value: Array

    @classmethod
    def none(cls) -> StepEvents:
        """No events."""
        return cls(*(np.zeros(0, np.int64) for _ in range(3)))

    def part(self, first: int, last: int | None = None) -> StepEvents:
        """Entries `first` to `last`."""
        return StepEvents(*(column[first:last] for column in self))

    def before(self, step: int) -> int:
        """How many entries lie before a step."""
        return len(self.step) if step >= 2**63 else int(np.searchsorted(self.step, step))

    def since(self, step: int) -> StepEvents:
        """The same, its steps counted from there."""
        return self._replace(step=self.step - step)


def counted(step: Ints, neuron: Ints, neurons: int, value: Array | None = None) -> StepEvents:
    """Events counted: those at one neuron in one step become one entry.

    Args:
        step: of each event, in any order.
        neuron: of each event, below `neurons`.
        neurons: of a step.
        value: what is added up; 1 each if omitted.

    Example:
        >>> counted(np.array([7, 7, 9, 7]), np.array([2, 0, 1, 2]), neurons=3)
        StepEvents(step=array([7, 7, 9]), neuron=array([0, 2, 1]), value=array([1, 2, 1]))
    """
    if not len(step):
        return StepEvents.none()
    if (step[1:] < step[:-1]).any():
        order = np.argsort(step, kind="stable")
        step, neuron = step[order], neuron[order]
        value = None if value is None else value[order]
    begins = _changes(step)
    # the number of the step among those that occur: step * neurons might overflow
    key = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(step))) * neurons + neuron
    if value is None:
        key.sort()
        first = _changes(key)
        total: Array = np.diff(first, append=len(key))
    else:
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = _changes(key)
        total = np.add.reduceat(value[order], first)
    key = key[first]
    number = key // neurons
    return StepEvents(step[begins[number]], key - number * neurons, total)


def merged(early: StepEvents, late: StepEvents, neurons: int) -> StepEvents:
    """Both; it is quick where few steps of `late` are no later than the last of `early`."""
    if not len(early.step) or not len(late.step):
        return early if len(early.step) else late
    apart, until = early.before(int(late.step[0])), late.before(int(early.step[-1]) + 1)
    both = [np.concatenate(c) for c in zip(early.part(apart), late.part(0, until), strict=True)]
    middle = counted(both[0], both[1], neurons, both[2])
    parts = zip(early.part(0, apart), middle, late.part(until), strict=True)
    return StepEvents(*(np.concatenate(columns) for columns in parts))


def _changes(ascending: Ints) -> Ints:
    """Where each run of equal numbers begins."""
    return np.concatenate(([0], np.flatnonzero(ascending[1:] != ascending[:-1]) + 1))
