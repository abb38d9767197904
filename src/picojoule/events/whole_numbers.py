"""A stage whose weights are whole numbers of 8 bits, and whose potentials are ones that stop at the ends of their range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from picojoule.events.graph import EventGraph, Stage
from picojoule.events.kernels.tables import STATE_BITS, bytes_of, whole_kernel
from picojoule.events.neurons import Neurons, spec_of
from picojoule.events.orders.limits import ChipLimits
from picojoule.events.plan import Edge, StagePlan
from picojoule.events.terms import CannotRunError
from picojoule.layers.whole_model import stateful_layers
from picojoule.ops.plan import NONE, plan_of, unsupported_part

WEIGHT_BITS = 8
DTYPES = {2: torch.int16, 4: torch.int32}  # by bytes
_ADVICE = "Leave limits out, or use order='breadth'."


def widths_of(limits: object) -> tuple[int, int, int]:
    """Bits of weights, potentials and biases, for the time steps of a model.

    Raises:
        TypeError: they are no ChipLimits.
        ValueError: there are others, or the widths are not told.
    """
    if not isinstance(limits, ChipLimits):
        raise TypeError(f"events.compile: limits is {limits!r}, expected ChipLimits.")
    others = replace(limits, weight_bits=None, state_bits=None, bias_bits=None)
    if others != ChipLimits():
        raise ValueError(
            "events.compile: one_threshold_per_layer, decimate and queue_length go with order='breadth' or 'depth', but order is "
            "'step'. Its limits are weight_bits, state_bits and bias_bits."
        )
    if limits.weight_bits is None or limits.state_bits is None or limits.weight_bits > WEIGHT_BITS:
        raise ValueError(
            f"events.compile: with order='step' limits need weight_bits, {WEIGHT_BITS} at most, and state_bits, but they are "
            f"{limits.weight_bits} and {limits.state_bits}. Wider weights go with order='breadth' or 'depth'."
        )
    return (
        limits.weight_bits,
        limits.state_bits,
        limits.weight_bits if limits.bias_bits is None else limits.bias_bits,
    )


def in_whole_numbers(graph: EventGraph, index: int, plan: StagePlan, bits: int) -> StagePlan:
    """The plan of a stage with potentials of so many bits; as it is, of one without neurons.

    Raises:
        CannotRunError: its neurons do more than integrate and fire, or a weight is no whole number of 8 bits.
    """
    stage = graph.stages[index]
    if stage.neuron is None:
        return plan
    neurons = _integrating(stage, plan.neurons, bits)
    return replace(
        plan,
        neurons=neurons,
        edges=tuple(_narrowed(stage, edge) for edge in plan.edges),
        bias=None if plan.bias is None else _whole_bias(stage, plan.bias, neurons.dtype),
    )


def check_neurons(model: nn.Module) -> None:
    """Raise CannotRunError for the first layer whose neurons do more than integrate and fire."""
    for name, layer in stateful_layers(model):
        spec = spec_of(layer)
        if unsupported_part(spec) is not None:
            continue  # which `compile` tells for any numbers
        plan = plan_of(spec, stepped=spec.connect is not None, shared=True)
        if plan.leaks or plan.synaptic or plan.adaptive or plan.stepped or plan.spike == NONE:
            raise CannotRunError(
                name,
                layer,
                "has no kernel of whole numbers with order='step', whose neurons integrate and fire: no leak, no current, no "
                f"feedback. {_ADVICE}",
            )


def _integrating(stage: Stage, neurons: Neurons, bits: int) -> Neurons:
    assert bits in STATE_BITS
    plan = neurons.plan
    assert plan is not None
    if not plan.shared:
        raise CannotRunError(
            stage.name, stage.neuron, f"has neurons of different thresholds. {_ADVICE}"
        )
    parameters, dtype = neurons.parameters, DTYPES[bytes_of(bits)]
    if plan.bounded:
        row = plan.row("min_v_mem")
        low = float(parameters[row])
        if low > 0:
            raise CannotRunError(
                stage.name, stage.neuron, f"has min_v_mem={low}; expected 0 or less."
            )
        if low <= -(2.0 ** (bits - 1)):  # where potentials stop by themselves
            plan = replace(plan, bounded=False)
            parameters = torch.cat([parameters[:row], parameters[row + 1 :]])
    return replace(
        neurons,
        kernel=whole_kernel(bits),
        plan=plan,
        parameters=parameters,
        dtype=dtype,
        state_bits=bits,
    )


def _narrowed(stage: Stage, edge: Edge) -> Edge:
    weights = edge.synapses.weights
    narrow = weights.astype(np.int8)
    if not np.array_equal(narrow, weights):
        raise CannotRunError(
            stage.name,
            stage.neuron,
            f"gets weights that are no whole numbers of {WEIGHT_BITS} bits. {_ADVICE}",
        )
    return edge._replace(synapses=replace(edge.synapses, weights=narrow, patterns=None))


def _whole_bias(stage: Stage, bias: Tensor, dtype: torch.dtype) -> Tensor:
    whole = bias.to(dtype)
    if not torch.equal(whole.float(), bias):
        raise CannotRunError(
            stage.name, stage.neuron, "gets a bias that is no whole number of its potential's bits."
        )
    return whole


def check_whole(values: Tensor, where: str) -> None:
    """Raise ValueError unless all values of an input, which are finite, are whole numbers."""
    if not torch.equal(values, values.trunc()):
        first = values[values != values.trunc()].flatten()[0].item()
        raise ValueError(
            f"{where}: the input has {first}, and a network of whole numbers takes whole numbers: spikes or counts. Scale it to those, or "
            "run it without limits of bits. The states stay as they were."
        )
