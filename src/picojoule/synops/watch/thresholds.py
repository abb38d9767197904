"""Weights of a neuron itself: spikes times a threshold for each neuron are a reset, as in `v = v - spikes * threshold`.

A parameter or buffer that is taken from potentials, compared with them, or divides them, neuron by neuron, is a threshold.
Within a module that is a neuron, all that spikes are multiplied by neuron by neuron are its dynamics.
"""

from __future__ import annotations

from torch import Tensor

from picojoule.synops.formulas import Synapses
from picojoule.synops.watch.elementwise import spreads
from picojoule.synops.watch.function_call import FunctionCall
from picojoule.synops.watch.origins import Origins


def see_threshold(call: FunctionCall, quotient: bool = False) -> None:
    """Note the thresholds in a difference, a comparison or a quotient."""
    a, b = call.operands
    if isinstance(a, Tensor) and isinstance(b, Tensor) and isinstance(call.result, Tensor):
        pairs = [(a, b)] if quotient else [(a, b), (b, a)]
        for potential, threshold in pairs:
            if call.result.shape == potential.shape and threshold.numel() > 1:
                _see(call.origins, potential, threshold, dense=quotient)


def _see(origins: Origins, potential: Tensor, threshold: Tensor, dense: bool) -> None:
    parameters = origins.weights_in(threshold)
    if not parameters or origins.is_without_data(potential):
        return
    if origins.of(potential).kind == "dense" or not dense:
        origins.thresholds |= parameters


def without_dynamics(origins: Origins, found: list[Synapses], in_a_neuron: bool) -> list[Synapses]:
    """What is left of products of spikes and weights, element by element, without what neurons do themselves."""
    return [each for each in found if not _is_dynamics(origins, each, in_a_neuron)]


def _is_dynamics(origins: Origins, synapses: Synapses, in_a_neuron: bool) -> bool:
    looked_up = synapses.channel is None
    if looked_up or len(synapses.operands) != 2 or len(synapses.weights) != 1:
        return False
    (index,) = synapses.weights
    weight, data = synapses.operands[index], synapses.operands[1 - index]
    if spreads(weight, data) or origins.of(data).kind != "spikes":
        return False
    parameters = origins.weights_in(weight)
    return in_a_neuron or (bool(parameters) and parameters <= origins.thresholds)
