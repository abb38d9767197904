"""Whole-number weights and potentials, as neuromorphic chips hold them."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.activation import MembraneReset, MembraneSubtract, WholeStates
from picojoule.convert.discretize_plan import Bits, LayerScale, plan_discretization
from picojoule.convert.held import replace_everywhere
from picojoule.convert.layer_pairs import leaks
from picojoule.convert.settled import settled
from picojoule.layers import SumPool2d


def discretize(
    model: nn.Module,
    weight_bits: int = 8,
    state_bits: int = 16,
    bias_bits: int = 8,
    *,
    saturate: bool = False,
) -> nn.Module:
    """A copy of a spiking network whose weights, biases, thresholds and potentials are whole numbers.

        W' = round(scale * W);  the same for biases, threshold, lower bound, reset and potential

    with one scale for a weighted layer and the spiking layer behind it, so that the layer's
    spikes are those of the original but for rounding. :func:`plan_discretization` tells the scales.
    Numbers stay in the model's floating-point type. Whole numbers come in (spikes) and go out.

    - A neuron without a lower bound stays without, or gets the lowest number of its width,
      `-2^(state_bits - 1)`, with `saturate=True`, as sinabs does it and chips do.
    - A LIF leaks as it did, and cuts its states to whole numbers, towards zero, at the end of each step
      (:class:`picojoule.activation.WholeStates`). `norm_input` goes into the weights in front of it.
    - Weights that are computed (pruned, normalised, parametrised) become plain parameters; zeros stay zeros.
    - The threshold, and with it `MembraneSubtract()`, is rounded; `subtract_value` and `reset_value` too.
    - A plain `AvgPool2d` becomes a `SumPool2d`; the window's size goes into the next weights
      or thresholds, before rounding.
    - A weighted layer that ends the network gets a scale of its own, and its output with it.
    - A large bias sets the scale and coarsens the weights: a warning says so. `bias_bits=8` is the width
      of sinabs' `discretize`; many chips have room for more.
    - Potentials left from an earlier input take part; call `picojoule.reset_states` if they are not meant.

    Args:
        model: a spiking network that torch.fx can follow, BatchNorm folded. Stays as it is.
        weight_bits: width of the weights, sign included, 2 to 24.
        state_bits: width of what is in the units of the potential.
        bias_bits: width of the biases.
        saturate: bound potentials that have no lower bound.

    Raises:
        ValueError: a width is out of range or exceeds what the model's dtype holds exactly; weights are
            shared or all zero; or a threshold would become 0.
        NotImplementedError: a layer cannot be carried over (neurons that adapt or do not fire, activations other
            than ReLU, two weighted layers in a row, padded average poolings); the message names it.

    Warns:
        UserWarning: something other than the weights sets a scale, and they lose a bit or more.

    Example:
        >>> from picojoule.layers import IAF
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> layer.weight.data = torch.tensor([[0.5, -0.25]])
        >>> whole = discretize(nn.Sequential(layer, IAF()))
        >>> whole[0].weight.tolist(), whole[1].spike_threshold.item()
        ([[127.0, -64.0]], 254.0)

    Source: the scale is that of sinabs 3.1.3, backend/dynapcnn/discretize.py, extended to resets and
    poolings.
    """
    plan = plan_discretization(model, weight_bits, state_bits, bias_bits)
    whole = settled(model)
    for item in plan.scales:
        _round_pair(whole, item, plan.bits)
        if saturate and item.pair.neuron is not None:
            _bound(whole.get_submodule(item.pair.neuron), state_bits)
    pools = [whole.get_submodule(name) for name in plan.pools]
    replace_everywhere(whole, {pool: _summing(pool) for pool in pools})
    return whole


@torch.no_grad()
def _round_pair(model: nn.Module, item: LayerScale, bits: Bits) -> None:
    for part in item.pair.weighted:
        layer: Any = model.get_submodule(part.name)
        _round_in_place(layer.weight, item.scale * part.weight_gain, bits.weights)
        if layer.bias is not None:
            _round_in_place(layer.bias, item.scale * part.bias_gain, bits.biases)
    if item.pair.neuron is not None:
        neuron = model.get_submodule(item.pair.neuron)
        scale = item.scale * item.pair.state_gain
        _round_neuron(neuron, scale, scale * item.pair.input_gain, bits.states)


def _round_neuron(neuron: Any, scale: float, input_scale: float, bits: int) -> None:
    _round_in_place(neuron.spike_threshold, scale, bits)
    if neuron.min_v_mem is not None:
        _round_in_place(neuron.min_v_mem, scale, bits)
    reset = neuron.reset_fn
    if isinstance(reset, MembraneReset):
        value = _rounded(reset.reset_value, scale, bits)
        neuron.reset_fn = dataclasses.replace(reset, reset_value=value)
    elif isinstance(reset, MembraneSubtract) and reset.subtract_value is not None:
        value = _rounded(reset.subtract_value, scale, bits)
        neuron.reset_fn = dataclasses.replace(reset, subtract_value=value)
    for name, state in neuron.states().items():
        of_input = name in ("i_syn", "i_rec")
        setattr(neuron, name, _rounded(state, input_scale if of_input else scale, bits))
    if leaks(neuron):
        neuron.norm_input = False  # it is in the weights
        neuron.reset_fn = WholeStates(neuron.reset_fn)
        neuron.impl = "reference"  # no kernel knows this reset


def _bound(neuron: Any, bits: int) -> None:
    if neuron.min_v_mem is None:
        lowest = neuron.spike_threshold.detach().new_full((), -(2.0 ** (bits - 1)))
        neuron.min_v_mem = nn.Parameter(lowest, requires_grad=False)


def _round_in_place(value: Tensor, scale: float, bits: int) -> None:
    value.copy_(_rounded(value, scale, bits))


def _rounded(value: Any, scale: float, bits: int) -> Any:
    """Half to even; what exceeds the range by a rounding error is put back into it."""
    lowest, highest = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    if isinstance(value, Tensor):
        return (value.double() * scale).round().clamp(lowest, highest).to(value.dtype)
    return float(min(max(round(value * scale), lowest), highest))


def _summing(pool: Any) -> SumPool2d:
    return SumPool2d(pool.kernel_size, pool.stride).train(pool.training)
