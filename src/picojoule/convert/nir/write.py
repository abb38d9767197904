"""A module as a NIR graph."""

from __future__ import annotations

import nir
import numpy as np
from torch import Tensor, nn

from picojoule.convert.nir.metadata import packed
from picojoule.convert.nir.padded_pool import PaddedSumPool2d
from picojoule.convert.nir.scale import Scale
from picojoule.convert.nir.simplify import bridged
from picojoule.convert.nir.targets import Target, node_for
from picojoule.convert.nir.time_step import TimeStep
from picojoule.convert.nir.write_layer import layer_node
from picojoule.convert.nir.write_neuron import neuron_node
from picojoule.convert.trace import INPUT, OUTPUT, Asker, Trace, TracedCall, trace
from picojoule.layers import LIF, SqueezeMixin, StatefulLayer, SumPool2d

ASKER = Asker(
    "to_nir",
    "NIR has layers",
    "which has no NIR node. Use a layer that has one (see picojoule.to_nir) in its place.",
)
NEURON_AXES = {
    nn.Linear: 1,
    nn.Conv1d: 2,
    nn.Conv2d: 3,
    nn.AvgPool2d: 3,
    SumPool2d: 3,
    PaddedSumPool2d: 3,
}


def graph_of(
    module: nn.Module,
    sample_data: Tensor,
    model_name: str,
    step: TimeStep,
    target: Target | None = None,
) -> nir.NIRGraph:
    """The NIR graph; `picojoule.to_nir` says the rest."""
    traced = trace(ASKER, module, sample_data, model_name)
    _raise_if_twice(traced)
    _raise_if_shared(traced)
    leading = _leading_axes(traced)
    _raise_if_shapes_differ(traced, leading)
    shifts = _feedback_biases(traced)
    nodes: dict[str, nir.NIRNode] = {
        name: _node(call, leading[name], step, name in shifts, shifts.get(traced.source_of(name)))
        for name, call in traced.calls.items()
    }
    first = next((b for a, b in traced.edges if a == INPUT and b != OUTPUT), None)
    last = next((a for a, b in traced.edges if b == OUTPUT and a != INPUT), None)
    if first is None or last is None:
        raise ValueError(
            f"to_nir: {type(module).__name__} has no layer between its input and output."
        )
    given = traced.calls[first].input_shape[leading[first] :]
    result = traced.calls[last].output_shape[leading[last] :]
    if target is not None:
        for name, call in traced.calls.items():
            nodes[name] = node_for(target, call.path, call.module, nodes[name], step)
    edges = traced.edges
    for name in shifts:
        if (nodes[name].scale == 1).all():
            edges = bridged(edges, name)
            del nodes[name]
    return nir.NIRGraph(
        nodes={
            INPUT: nir.Input({"input": np.array(given)}),
            **nodes,
            OUTPUT: nir.Output({"output": np.array(result)}),
        },
        edges=edges,
        metadata=packed(dt=step.dt, discretisation=step.discretisation),
        type_check=all(_is_known_by_nir(call.module) for call in traced.calls.values()),
    )


def _is_known_by_nir(module: nn.Module) -> bool:
    """Whether nir's own arithmetic of shapes holds: it takes channels from the weight, and the kernel's height for its width, too."""
    grouped = getattr(module, "groups", 1) > 1
    return not (grouped or (isinstance(module, nn.Conv2d) and len({*module.kernel_size}) > 1))


def _node(
    call: TracedCall, leading: int, step: TimeStep, shifted: bool, bias: Tensor | None
) -> nir.NIRNode:
    """The node for a call; `shifted` where its shift is the `bias` of the feedback of the neuron behind it."""
    if isinstance(call.module, LIF):
        return neuron_node(call.path, call.module, call.output_shape[leading:], step, bias)
    return layer_node(call.path, call, leading, shifted=shifted)


def _feedback_biases(traced: Trace) -> dict[str, Tensor]:
    """Shifts of the Scales in front of recurrent neurons: what `from_nir` makes of their feedback's bias."""
    found: dict[str, Tensor] = {}
    for name, call in traced.calls.items():
        targets = [b for a, b in traced.edges if a == name]
        if not isinstance(call.module, Scale) or not call.module.shift.any() or len(targets) != 1:
            continue
        behind = traced.calls.get(targets[0])
        connect = getattr(behind.module, "rec_connect", None) if behind else None
        if type(connect) is nn.Linear and connect.bias is None and traced.source_of(targets[0]):
            found[name] = call.module.shift
    return found


def _raise_if_twice(traced: Trace) -> None:
    for source, target in traced.edges:
        if traced.edges.count((source, target)) > 1:
            raise NotImplementedError(
                f"to_nir: {target!r} gets {source!r} more than once, and NIR allows one edge between "
                "two nodes. Multiply by a number in the weights instead."
            )


def _raise_if_shared(traced: Trace) -> None:
    seen = set()
    for call in traced.calls.values():
        if isinstance(call.module, StatefulLayer) and call.module in seen:
            raise NotImplementedError(
                f"to_nir: layer {call.path!r} ({type(call.module).__name__}) is used more than once, and "
                "NIR nodes share no state. Use one layer for each place."
            )
        seen.add(call.module)


def _raise_if_shapes_differ(traced: Trace, leading: dict[str, int]) -> None:
    """NIR spreads nothing out: neither a sum of two shapes, nor a linear layer over the rows of an image."""
    for source, target in traced.edges:
        if source not in traced.calls or target not in traced.calls:
            continue
        given = list(traced.calls[source].output_shape[leading[source] :])
        taken = list(traced.calls[target].input_shape[leading[target] :])
        if given != taken:
            raise NotImplementedError(
                f"to_nir: {source!r} gives {given} and {target!r} takes {taken}, without batch and time, and NIR has no word for "
                "spreading one over the other. Give both one shape: flatten in front of nn.Linear, and add up tensors that are alike."
            )


def _leading_axes(traced: Trace) -> dict[str, int]:
    """How many axes of batch and time each layer sees; Flatten and the like go by their neighbours."""
    known = {
        name: axes for name, call in traced.calls.items() if (axes := _own_axes(call)) is not None
    }
    waiting = [name for name in traced.calls if name not in known]
    while waiting:
        told = {name: axes for name in waiting if (axes := _of_neighbours(name, traced, known))}
        known |= told or dict.fromkeys(waiting, 1)
        waiting = [name for name in waiting if name not in known]
    return known


def _of_neighbours(name: str, traced: Trace, known: dict[str, int]) -> int | None:
    """What is left of the axes once those of the neurons, which a neighbour knows, are counted.

    Inside a Repeat, batch and time are one axis, and two outside.
    """
    call = traced.calls[name]
    for a, b in traced.edges:
        if b == name and a in known:
            neurons = len(traced.calls[a].output_shape) - known[a]
            return len(call.input_shape) - neurons
        if a == name and b in known:
            neurons = len(traced.calls[b].input_shape) - known[b]
            return len(call.output_shape) - neurons
    return None


def _own_axes(call: TracedCall) -> int | None:
    if isinstance(call.module, StatefulLayer):
        return 1 if isinstance(call.module, SqueezeMixin) else 2
    for layer, axes in NEURON_AXES.items():
        if isinstance(call.module, layer):
            return len(call.input_shape) - axes
    return None
