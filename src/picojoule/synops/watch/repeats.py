"""Calls that a loop repeats: what arrives is added up step by step, and counted once when the pass is over.

A count is linear in the values of its data, so those of calls that differ in nothing else may be added up first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from picojoule.synops.formulas import Synapses
from picojoule.synops.magnitudes import SummedMagnitudes
from picojoule.synops.watch.count import Counter, choose, data_of
from picojoule.synops.watch.gathered import Gathered
from picojoule.synops.watch.ledger import Line
from picojoule.synops.watch.origins import Origins


@dataclass
class _Judged:
    """Data of one judgement: whether they are spikes; None if that is sure."""

    whole: Tensor | None
    sums: Gathered = field(default_factory=Gathered)


class Repeat:
    """A counted call that was made before, with the same shapes and origins.

    Args:
        line: where its counts go.
        synapses: those of a call like it.
        counter: how they are counted.
        position: which of the call's arguments is the data.
        leading: over how many of its leading axes it is added up.
        biases: additions of biases in one call.
    """

    def __init__(
        self,
        line: Line,
        synapses: Synapses,
        counter: Counter,
        position: int,
        leading: int,
        biases: int,
    ) -> None:
        self._line, self._count = line, synapses.count
        self._pruned = synapses.operands[1:] if counter.is_pruned else ()
        self._weights = [counter.mask(weight) for weight in synapses.operands[1:]]
        self._dense = counter.dense(synapses)
        self._position, self._leading, self._biases = position, leading, biases
        self._axes = range(leading)
        self._dense_calls = 0
        self._judged: list[_Judged] = []

    def fits(self, args: Sequence[Any]) -> bool:
        """Whether a call of the same shapes and origins has the same pruned weights, too."""
        return all(any(weight is x for x in args) for weight in self._pruned)

    def add(self, origins: Origins, args: Sequence[Any]) -> None:
        """One more call."""
        x = args[self._position]
        origin = origins.of(x)
        if origin.kind == "dense":
            self._dense_calls += 1
            return
        found = next((each for each in self._judged if each.whole is origin.whole), None)
        if found is None:
            found = _Judged(origin.whole)
            self._judged.append(found)
        found.sums.add(origins.magnitudes(x).over(self._axes))

    def settle(self) -> int:
        """Enter the counts, as the pass is over; how many calls there were."""
        calls = self._dense_calls + sum(each.sums.calls for each in self._judged)
        self._line.add(0.0, self._dense * self._dense_calls, self._dense * calls)
        self._line.biases += self._biases * calls
        for each in self._judged:
            data = SummedMagnitudes(each.sums.exact_sum, self._leading)
            number = self._count([data, *self._weights])
            if each.whole is None:
                self._line.add(number, 0.0, 0.0)
            else:
                multiplied = self._dense * each.sums.calls
                synops = choose(each.whole, number, 0.0)
                self._line.add(synops, choose(each.whole, 0.0, multiplied), 0.0)
        return calls


def repeat_of(
    line: Line,
    synapses: list[Synapses],
    args: tuple[Any, ...],
    biases: int,
    counter: Counter,
    origins: Origins,
) -> Repeat | None:
    """What counts calls like this one; None if they have to be looked at one by one.

    They do if several operands are data, if the data's samples and time cannot be added up first, or if dense values
    count by their magnitude.
    """
    each = synapses[0]
    leading = min(each.leading, origins.summed_axes(each.operands[0]))
    if len(synapses) > 1 or leading == 0 or counter.counts_dense:
        return None
    position = next((i for i, x in enumerate(args) if x is each.operands[0]), None)
    if position is None or data_of(each, origins) != {0}:
        return None
    return Repeat(line, each, counter, position, leading, biases)
