"""Which scale each layer gets when a network is rounded to whole numbers: the plan, before anything is done."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from picojoule.activation import MembraneReset, MembraneSubtract
from picojoule.convert.graph import check_own_weights
from picojoule.convert.layer_pairs import Pair, layer_pairs
from picojoule.convert.settled import settled


class Bits(NamedTuple):
    """Widths of signed integers."""

    weights: int
    biases: int
    states: int


class LayerScale(NamedTuple):
    """A weighted layer, the spiking layer behind it, and what both are multiplied by before rounding."""

    pair: Pair
    scale: float
    set_by: str  # the quantity that fills its range first
    largest_weight: int  # after rounding


class DiscretizationPlan(NamedTuple):
    """One scale for each pair of layers; `print` shows a table.

    Average poolings named in `pools` become sums; the factor goes into `pair.weighted` (before a
    weighted layer) and `pair.state_gain` (before a neuron).
    """

    scales: tuple[LayerScale, ...]
    pools: tuple[str, ...]
    bits: Bits

    def __str__(self) -> str:
        rows = [("layer", "neuron", "scale", "set by", "largest weight")]
        for item in self.scales:
            names = ", ".join(part.name for part in item.pair.weighted)
            largest = f"{item.largest_weight} of {2 ** (self.bits.weights - 1)}"
            rows.append((names, item.pair.neuron or "-", f"{item.scale:.5g}", item.set_by, largest))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        if self.pools:
            lines.append(f"average poolings that become sums: {', '.join(self.pools)}")
        return "\n".join(lines)


def plan_discretization(
    model: nn.Module, weight_bits: int = 8, state_bits: int = 16, bias_bits: int = 8
) -> DiscretizationPlan:
    """The scale that :func:`discretize` gives to each weighted layer and the neurons behind it.

        scale = min over quantities q of (largest integer of q's width / largest magnitude of q)

    over the weights, the biases, and the neurons' threshold, lower bound, reset and (where there is
    one) potential. The arguments and errors are those of :func:`discretize`.

    Example:
        >>> from picojoule.layers import IAF
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 0.5)
        >>> print(plan_discretization(nn.Sequential(layer, IAF())))
        layer  neuron  scale  set by   largest weight
        0      1       254    weights  127 of 128
    """
    bits = Bits(weight_bits, bias_bits, state_bits)
    _check_widths(model, bits)
    model = settled(model)
    check_own_weights("discretize", model)
    pairs, pools = layer_pairs(model)
    modules = dict(model.named_modules())
    scales = tuple(_layer_scale(pair, modules, bits) for pair in pairs)
    return DiscretizationPlan(scales, pools, bits)


def _check_widths(model: nn.Module, bits: Bits) -> None:
    floats = {x.dtype for x in model.parameters() if x.is_floating_point()}
    for name, width in zip(("weight_bits", "bias_bits", "state_bits"), bits, strict=True):
        if not 2 <= width <= 24:
            raise ValueError(f"discretize: {name} is {width}, expected 2 to 24.")
        for dtype in floats:
            if 2 ** (width - 1) > 2 / torch.finfo(dtype).eps:
                raise ValueError(
                    f"discretize: {dtype} does not hold all whole numbers of {name}={width}; call model.float() first."
                )


def state_quantities(neuron: Any) -> dict[str, Tensor | float]:
    """What a spiking layer holds in units of its potential, by name."""
    held: dict[str, Tensor | float | None] = {
        "threshold": neuron.spike_threshold,
        "min_v_mem": neuron.min_v_mem,
    }
    if isinstance(neuron.reset_fn, MembraneSubtract):
        held["subtract_value"] = neuron.reset_fn.subtract_value
    if isinstance(neuron.reset_fn, MembraneReset):
        held["reset_value"] = neuron.reset_fn.reset_value
    if neuron.is_state_initialised():
        held |= neuron.states()
    return {name: value for name, value in held.items() if value is not None}


def _layer_scale(pair: Pair, modules: dict[str, Any], bits: Bits) -> LayerScale:
    limits: dict[str, float] = {}
    peak = 0.0
    for part in pair.weighted:
        layer = modules[part.name]
        peak = max(peak, layer.weight.detach().abs().max().item() * part.weight_gain)
        _limit(limits, "weights", layer.weight, part.weight_gain, bits.weights)
        if layer.bias is not None:
            _limit(limits, "biases", layer.bias, part.bias_gain, bits.biases)
    if pair.neuron is not None:
        for name, value in state_quantities(modules[pair.neuron]).items():
            _limit(limits, name, value, pair.state_gain, bits.states)
    names = ", ".join(repr(part.name) for part in pair.weighted)
    if peak == 0:
        raise ValueError(
            f"discretize: the weights of {names} are all zero, so there is no scale to them. Remove the layer."
        )
    set_by = min(limits, key=lambda name: limits[name])
    scale = limits[set_by]
    _warn_if_coarse(names, set_by, limits["weights"] / scale, peak * scale, bits)
    if pair.neuron is not None:
        _check_threshold(pair, modules[pair.neuron], scale)
    return LayerScale(pair, scale, set_by, round(peak * scale))


def _limit(
    limits: dict[str, float], name: str, value: Tensor | float, gain: float, bits: int
) -> None:
    """Lower the limit called `name` to the largest scale at which every value still fits."""
    lowest, highest = _range(value)
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise ValueError(
            f"discretize: {name} of a layer are not finite; check the model's parameters."
        )
    largest = 2.0 ** (bits - 1) - 1
    fits = [limits.get(name, math.inf)]
    if highest > 0:
        fits.append(largest / (highest * gain))
    if lowest < 0:
        fits.append((largest + 1) / (-lowest * gain))
    limits[name] = min(fits)


def _range(value: Tensor | float) -> tuple[float, float]:
    if not isinstance(value, Tensor):
        return value, value
    if value.numel() == 0:
        return 0.0, 0.0
    lowest, highest = value.detach().aminmax()
    return lowest.item(), highest.item()


def _warn_if_coarse(names: str, set_by: str, lost: float, peak: float, bits: Bits) -> None:
    """A bit of weight resolution is lost with every factor of two."""
    if lost < 2:
        return
    remedy = {
        "biases": f"Give the biases more bits than {bits.biases}, or train without biases.",
    }.get(set_by, f"Give the states more bits than {bits.states}, or lower it.")
    warnings.warn(
        f"discretize: the scale of {names} is set by its {set_by}, so that the weights use only "
        f"{peak:.0f} of {2 ** (bits.weights - 1)} levels ({math.log2(lost):.1f} of {bits.weights} bits lost). "
        f"{remedy}",
        stacklevel=5,
    )


def _check_threshold(pair: Pair, neuron: Any, scale: float) -> None:
    lowest = _lowest(state_quantities(neuron)["threshold"]) * scale * pair.state_gain
    if round(lowest) < 1:
        raise ValueError(
            f"discretize: the threshold of {pair.neuron!r} would be rounded to 0, for the weights in front of it are "
            f"more than {1 / lowest:.0f} times too large for it. Call normalize_weights first."
        )


def _lowest(value: Tensor | float) -> float:
    return min(_flat(value))


def _flat(value: Tensor | float) -> Iterable[float]:
    return value.detach().flatten().tolist() if isinstance(value, Tensor) else [value]
