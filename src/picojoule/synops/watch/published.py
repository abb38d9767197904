"""What the counters of others give for a call: their formulas, with their errors.

Each gives (ACs, MACs) over all samples and steps, as its release counts them, so that a number
can be set beside a published one; :mod:`picojoule.report.explain` says where they differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from picojoule.synops.formulas import Synapses
from picojoule.synops.formulas.synapses import Count
from picojoule.synops.magnitudes import Magnitudes, exact_dtype, is_strided, magnitude
from picojoule.synops.watch.count import Counter, Weights, data_of
from picojoule.synops.watch.ledger import NOT_REPRODUCED, Pair
from picojoule.synops.watch.origins import Origins

_NEUROBENCH = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_SYOPS = (*_NEUROBENCH, *_TRANSPOSED)
# by the operations that PyTorch breaks them into; attention and single dot products are others
_JELLY_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
_JELLY_TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_JELLY_PRODUCTS = ("linear", "matmul", "rmatmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "tensordot")  # fmt: skip
_LOOKUPS = ("embedding", "embedding_bag")  # of indices, which have no firing rate
_JELLY = (*_JELLY_CONVOLUTIONS, *_JELLY_TRANSPOSED, *_JELLY_PRODUCTS)


@dataclass(frozen=True, eq=False)
class CountedCall:
    """A call, as the counters of others see it.

    Args:
        all_synapses: what our formula says of it.
        function: the name of the function.
        module: the layer whose own call it is; None of a functional call.
        result: what it gave.
    """

    all_synapses: list[Synapses]
    function: str
    module: nn.Module | None
    result: Any

    @property
    def synapses(self) -> Synapses:
        """Those of a call of one product."""
        return self.all_synapses[0]

    def is_one_product(self) -> bool:
        """Whether it is a layer or product of the kind that formulas of others are about."""
        known = self.function != "formula" and isinstance(self.result, Tensor)
        return known and len(self.all_synapses) == 1


class Published(NamedTuple):
    """Counts by convention, and what makes them differ: booleans, on the device where need be."""

    counts: dict[str, Pair]
    facts: dict[str, Tensor | bool]


class PublishedCounts:
    """The counters of others over one forward pass."""

    def __init__(self, origins: Origins, weights: Weights) -> None:
        self._origins = origins
        self._strict = Counter(origins, weights, dense_as_spikes=False)
        self._sinabs = Counter(origins, "all", dense_as_spikes=True)
        self._pruned = Counter(origins, "nonzero", dense_as_spikes=False)

    def of(self, call: CountedCall) -> Published:
        """All of them for one call."""
        with torch.no_grad():
            strict = _total(self._strict, call)
            sinabs = _total(self._sinabs, call)
            if not (call.is_one_product() and all(map(is_strided, call.synapses.operands))):
                return Published({"strict": strict, "sinabs": sinabs}, {NOT_REPRODUCED: True})
            operands = call.synapses.operands
            data = sorted(data_of(call.synapses, self._origins))
            x = operands[data[0]] if data else call.result
            counts: dict[str, Pair] = {
                "strict": strict,
                "sinabs": sinabs,
                "neurobench": self._neurobench(call, x),
                "syops": self._syops(call, x),
                "spikingjelly": (self._spikingjelly(call), 0.0),
                "rate_flops": self._rate_flops(call, x, strict),
            }
            return Published(counts, self._facts(call, x))

    def _nonzero(self, synapses: Synapses, pruned: bool) -> Count:
        """Synapses between non-zero values, and non-zero weights if `pruned`."""
        data = data_of(synapses, self._origins)
        values = [
            None if i not in data and not pruned else _nonzero(x)
            for i, x in enumerate(synapses.operands)
        ]
        return synapses.count(values)

    def _neurobench(self, call: CountedCall, x: Tensor) -> Pair:
        if not isinstance(call.module, _NEUROBENCH):
            return 0.0, 0.0
        number = self._nonzero(call.synapses, pruned=True)
        spiking = ((x == 0) | (_size(x) == 1)).all()
        return _either(spiking, number)

    def _syops(self, call: CountedCall, x: Tensor) -> Pair:
        module = call.module
        if not isinstance(module, _SYOPS):
            return 0.0, 0.0
        positions = call.result.numel() // call.result.shape[-1]
        biases: float = 0.0
        if module.bias is not None:
            linear = isinstance(module, nn.Linear)
            biases = call.result.shape[-1] if linear else call.result.numel()
        if isinstance(module, nn.Linear):
            dense = positions * module.in_features * module.out_features
        else:
            places = call.result.numel() // module.out_channels
            share = module.out_channels // module.groups
            dense = math.prod(module.kernel_size) * module.in_channels * share * places
        low, high = torch.aminmax(x) if x.numel() else (x.sum(), x.sum())
        spiking = ((x == low) | (x == high)).all() & (low >= 0) & (high <= 1)
        acs, macs = _either(spiking, dense + biases)
        return acs * _mean(x), macs

    def _spikingjelly(self, call: CountedCall) -> Count:
        if call.function not in _JELLY:
            return 0.0
        synapses = call.synapses
        binary = [((x == 0) | (x == 1)).all() for x in synapses.operands]
        nonzero = [_nonzero(x) for x in synapses.operands]
        if len(binary) != 2:
            return 0.0
        first = _count(synapses, [nonzero[0], None])
        second = _count(synapses, [None, nonzero[1]])
        if call.function in (*_JELLY_CONVOLUTIONS, *_JELLY_TRANSPOSED):
            places = call.result if call.function in _JELLY_CONVOLUTIONS else synapses.operands[0]
            per_weight = places.shape[0] * math.prod(places.shape[2:])
            second = nonzero[1].total * per_weight
        both = _count(synapses, [nonzero[0], nonzero[1]])
        alone = torch.where(binary[0], first, second)
        known = torch.where(binary[0] & binary[1], both, alone)
        return torch.where(binary[0] | binary[1], known, torch.zeros_like(known))

    def _rate_flops(self, call: CountedCall, x: Tensor, strict: Pair) -> Pair:
        if call.function in _LOOKUPS:
            return 0.0, 0.0
        synops, macs = strict
        flops = self._with_border(call)
        rate = _mean(_size(x))
        if not isinstance(macs, Tensor):
            return (0.0, flops) if macs else (flops * rate if _counted(synops) else 0.0, 0.0)
        dense = macs > 0
        return torch.where(dense, 0.0, flops * rate), torch.where(dense, flops, 0.0)

    def _with_border(self, call: CountedCall) -> float | Tensor:
        """Multiplications of the dense layer, padded zeros too."""
        x, *others = call.synapses.operands
        if call.function in _JELLY_CONVOLUTIONS:
            return float(call.result.numel() * math.prod(others[0].shape[1:]))
        if call.function in _JELLY_TRANSPOSED:
            return float(x.numel() * math.prod(others[0].shape[1:]))
        return call.synapses.count([None] * len(call.synapses.operands))

    def _facts(self, call: CountedCall, x: Tensor) -> dict[str, Tensor | bool]:
        everything = call.synapses.count([None] * len(call.synapses.operands))
        origin = self._origins.of(x)
        known = {
            "unseen by neurobench": not isinstance(call.module, _NEUROBENCH),
            "unseen by syops": not isinstance(call.module, _SYOPS),
            "unseen by spikingjelly": call.function not in _JELLY,
            "unseen by rate_flops": call.function in _LOOKUPS,
            "border": self._with_border(call) != everything,
            "pooled": origin.kind == "spikes"
            and (isinstance(origin.unit, Tensor) or origin.unit != 1.0),
            "pruned": self._pruned.dense(call.synapses) != everything,
            "graded": ~((x == 0) | (_size(x) == 1)).all(),
            "signed": (x < 0).any(),
            "bias": getattr(call.module, "bias", None) is not None,
            "uneven": call.function in (*_JELLY_CONVOLUTIONS, *_JELLY_TRANSPOSED),
        }
        return {name: value for name, value in known.items() if value is not False}


def _total(counter: Counter, call: CountedCall) -> Pair:
    pairs = [counter.count(synapses) for synapses in call.all_synapses]
    return sum((synops for synops, _ in pairs), 0.0), sum((macs for _, macs in pairs), 0.0)


def _mean(x: Tensor) -> Tensor:
    """Mean of all values; 0 of none."""
    return x.sum(dtype=exact_dtype(x)) / max(x.numel(), 1)


def _nonzero(x: Tensor) -> Magnitudes:
    return Magnitudes((x.detach() != 0).to(torch.float32), signed=False)


def _count(synapses: Synapses, values: list[Magnitudes | None]) -> Tensor:
    number = synapses.count(values)
    assert isinstance(number, Tensor)
    return number


def _either(spiking: Tensor, number: Count) -> Pair:
    if not isinstance(number, Tensor):
        number = spiking.new_full((), number, dtype=exact_dtype(spiking))
    nothing = torch.zeros_like(number)
    return torch.where(spiking, number, nothing), torch.where(spiking, nothing, number)


def _counted(number: Any) -> bool:
    return isinstance(number, Tensor) or bool(number)


def _size(x: Tensor) -> Tensor:
    return x.abs() if x.is_floating_point() else magnitude(x)  # of integers and booleans, too
