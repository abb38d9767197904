"""Counts the synapses of a call by the origin of its operands."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from picojoule.synops.formulas import Synapses, masked
from picojoule.synops.formulas.synapses import Count
from picojoule.synops.magnitudes import Magnitudes, is_strided, pattern
from picojoule.synops.watch.origin import Origins

Weights = Literal["all", "nonzero"]
Values = list[Magnitudes | None]


class Counter:
    """Counts one forward pass's calls.

    Args:
        origins: what the operands are.
        weights: "nonzero" takes pruned weights for no synapses.
        dense_as_spikes: count dense values by magnitude, as sinabs does.
    """

    def __init__(self, origins: Origins, weights: Weights, dense_as_spikes: bool) -> None:
        self._origins, self._pruned, self._dense = origins, weights == "nonzero", dense_as_spikes
        self._masks: dict[int, tuple[Tensor, Magnitudes]] = {}

    def count(self, synapses: Synapses) -> tuple[Count, Count]:
        """(SynOps, MACs) of a call: SynOps if spikes arrive, else MACs."""
        values: Values = []
        doubtful: list[tuple[int, Tensor]] = []
        spikes = data = False
        for index, x in enumerate(synapses.operands):
            origin = None if index in synapses.weights else self._origins.of(x)
            if origin is None or origin.kind == "constant":
                values.append(self.mask(x))
                continue
            data = True
            if origin.kind == "dense":
                values.append(Magnitudes(x) if self._dense else self._ones(x))
                spikes = spikes or self._dense
                continue
            values.append(self._origins.magnitudes(x))
            if origin.whole is None or self._dense:
                spikes = True
            else:
                doubtful.append((index, origin.whole))
        if not data and synapses.operands and len(synapses.weights) < len(synapses.operands):
            return 0.0, 0.0  # weights that are multiplied with one another
        # counting may not be noticed by what the model runs in, such as checkpointing
        with torch.autograd.graph.saved_tensors_hooks(_itself, _itself):
            return self._resolved(synapses, values, doubtful, spikes)

    def dense(self, synapses: Synapses) -> Count:
        """Multiplications of a call if all its data were dense."""
        constants = [
            index in synapses.weights or self._origins.of(x).kind == "constant"
            for index, x in enumerate(synapses.operands)
        ]
        return synapses.count(
            [
                self.mask(x) if constant else self._ones(x)
                for x, constant in zip(synapses.operands, constants, strict=True)
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
        synops, macs = (_choose(whole, a, b) for a, b in zip(if_spikes, if_dense, strict=True))
        return synops, macs

    def mask(self, weight: Tensor) -> Magnitudes | None:
        """What of a weight is synapses; None for all of it."""
        if not self._pruned:
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


def _choose(condition: Tensor, yes: Count, no: Count) -> Count:
    if not isinstance(yes, Tensor) and not isinstance(no, Tensor) and yes == no:
        return yes
    yes, no = (
        x if isinstance(x, Tensor) else condition.new_full((), x, dtype=torch.get_default_dtype())
        for x in (yes, no)
    )
    return torch.where(condition, yes, no)


def _itself(x: Tensor) -> Tensor:
    return x
