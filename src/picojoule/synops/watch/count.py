"""Counts the synapses of a call by the origin of its operands."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from picojoule.synops.formulas import Synapses, masked
from picojoule.synops.formulas.synapses import Count
from picojoule.synops.magnitudes import Magnitudes, exact_dtype, is_strided, pattern
from picojoule.synops.watch.origins import Origins

Weights = Literal["all", "nonzero"]
Values = list[Magnitudes | None]


def data_of(synapses: Synapses, origins: Origins) -> frozenset[int]:
    """Which operands of a call are data: all but constants, and but what stands in the place of weights.

    What was made of data on the way and stands there, as in `F.linear(x, keys)`, is data.
    """
    data = {
        index
        for index, x in enumerate(synapses.operands)
        if (
            _is_made_of_data(origins, x)
            if index in synapses.weights
            else not _is_constant(origins, x)
        )
    }
    if not data and len(synapses.weights) < len(synapses.operands):
        data = {
            index
            for index in synapses.weights
            if not _is_constant(origins, synapses.operands[index])
        }
    numbers = {index for index in data if _is_a_table(origins, synapses.operands[index])}
    if numbers == data and not all(_stands_for_weights(synapses, origins, i) for i in numbers):
        return frozenset(data)
    return frozenset(data - numbers)  # beside data, tables are weights


def _is_constant(origins: Origins, x: Tensor) -> bool:
    return origins.of(x).kind == "constant"


def _is_a_table(origins: Origins, x: Tensor) -> bool:
    """Whether it is numbers, or what chance makes of weights; a state that begins as zeros is data in which nothing is yet."""
    return origins.is_without_data(x) and origins.of(x).kind != "zeros"


def _stands_for_weights(synapses: Synapses, origins: Origins, index: int) -> bool:
    """Whether a table that no data meet changes weights, as the signs in `weight.abs() @ signs` do.

    What stands in the place of data is data, as `ones` in `F.linear(ones, weight)`, and so is what chance has made.
    `a @ b` has no such place: there a table on the left changes weights if it is square.
    """
    x = synapses.operands[index]
    if synapses.weights:
        return index in synapses.weights and origins.is_fixed(x)
    square = x.ndim > 1 and x.shape[-1] == x.shape[-2]
    return origins.is_fixed(x) and (index > 0 or square or bool(origins.weights_in(x)))


def _is_made_of_data(origins: Origins, x: Tensor) -> bool:
    known = origins.known(x)
    return origins.is_given(x) or (known is not None and known.kind != "constant")


def is_index(synapses: Synapses, x: Tensor) -> bool:
    """Whether it picks weights, so that each of its values is a spike, however dense the input is said to be."""
    return synapses.channel is None and not x.is_floating_point()


class Counter:
    """Counts one forward pass's calls.

    Args:
        origins: what the operands are.
        weights: "nonzero" takes pruned weights for no synapses.
        dense_as_spikes: count dense values by magnitude, as sinabs does.
    """

    def __init__(self, origins: Origins, weights: Weights, dense_as_spikes: bool) -> None:
        self.is_pruned, self.counts_dense = weights == "nonzero", dense_as_spikes
        self._origins = origins
        self._masks: dict[int, tuple[Tensor, Magnitudes]] = {}

    def count(self, synapses: Synapses) -> tuple[Count, Count]:
        """(SynOps, MACs) of a call: SynOps if spikes arrive, else MACs."""
        values: Values = []
        doubtful: list[tuple[int, Tensor]] = []
        spikes = data = False
        carrying = data_of(synapses, self._origins)
        for index, x in enumerate(synapses.operands):
            if index not in carrying:
                values.append(self.mask(x))
                continue
            data, origin = True, self._origins.of(x)
            if origin.kind == "dense" and not is_index(synapses, x):
                values.append(Magnitudes(x) if self.counts_dense else self._ones(x))
                spikes = spikes or self.counts_dense
                continue
            values.append(self._origins.magnitudes(x))
            if origin.whole is None or self.counts_dense:
                spikes = True
            else:
                doubtful.append((index, origin.whole))
        if not data and synapses.operands and len(synapses.weights) < len(synapses.operands):
            return 0.0, 0.0  # weights that are multiplied with one another
        return self._resolved(synapses, values, doubtful, spikes)

    def dense(self, synapses: Synapses) -> Count:
        """Multiplications of a call if all its data were dense."""
        carrying = data_of(synapses, self._origins)
        return synapses.count(
            [
                self._ones(x) if index in carrying else self.mask(x)
                for index, x in enumerate(synapses.operands)
            ]
        )

    def _resolved(
        self, synapses: Synapses, values: Values, doubtful: list[tuple[int, Tensor]], spikes: bool
    ) -> tuple[Count, Count]:
        if not doubtful:
            number = synapses.count(values)
            return (number, 0.0) if spikes else (0.0, number)
        (index, whole), *others = doubtful
        if_spikes = self._resolved(synapses, values, others, True)
        ones = self._ones(synapses.operands[index])
        dense: Values = [ones if i == index else value for i, value in enumerate(values)]
        if_dense = self._resolved(synapses, dense, others, spikes)
        synops, macs = (choose(whole, a, b) for a, b in zip(if_spikes, if_dense, strict=True))
        return synops, macs

    def mask(self, weight: Tensor) -> Magnitudes | None:
        """What of a weight is synapses; None for all of it."""
        if not self.is_pruned:
            return self._ones(weight)
        known = self._masks.get(id(weight))
        if known is None:  # the weight is held, so that its id stays its own
            mask = masked(weight) if is_strided(weight) else pattern(weight, nonzero=True)
            known = self._masks[id(weight)] = weight, Magnitudes(mask, signed=False)
        return known[1]

    @staticmethod
    def _ones(x: Tensor) -> Magnitudes | None:
        """All of a tensor; of a sparse one, the elements that it has."""
        return None if is_strided(x) else Magnitudes(pattern(x), signed=False)


def choose(condition: Tensor, yes: Count, no: Count) -> Count:
    """One of two counts, by a boolean scalar that stays on its device."""
    if not isinstance(yes, Tensor) and not isinstance(no, Tensor) and yes == no:
        return yes
    yes, no = (
        x if isinstance(x, Tensor) else condition.new_full((), x, dtype=exact_dtype(condition))
        for x in (yes, no)
    )
    return torch.where(condition, yes, no)
