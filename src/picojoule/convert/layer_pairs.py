"""Which neurons stand behind which weights, and what poolings in between do to their units."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.nn import functional as F

from picojoule.activation import MembraneReset, MembraneSubtract
from picojoule.convert.commuting import sizes
from picojoule.convert.graph import AFFINE, call_graph
from picojoule.layers import (
    IAF,
    LIF,
    ChannelShift,
    Cropping2dLayer,
    FlattenTime,
    Merge,
    StatefulLayer,
    SumPool2d,
    UnflattenTime,
)

# layers and functions that keep whole numbers whole and pass any factor on
_PROPORTIONAL = (
    nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.ReLU, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.ZeroPad2d,
    ChannelShift, Cropping2dLayer, FlattenTime, Merge, SumPool2d, UnflattenTime,
)  # fmt: skip
_FUNCTIONS = {
    torch.flatten,
    torch.relu,
    F.relu,
    operator.add,
    operator.iadd,
    getattr,
    operator.getitem,
}
_METHODS = {"flatten", "unflatten", "reshape", "view", "relu"}


class Weighted(NamedTuple):
    """A weighted layer and what its parameters are multiplied by, the scale apart."""

    name: str
    weight_gain: float
    bias_gain: float


class Pair(NamedTuple):
    """Weights that drive the same neurons (recurrent ones included), and these neurons."""

    weighted: tuple[Weighted, ...]
    neuron: str | None  # None where the network ends in the weighted layer
    state_gain: float  # what the neuron's potentials are multiplied by, the scale apart
    input_gain: float = 1.0  # what its synaptic current is multiplied by besides: `norm_input`


@dataclass
class _Signal:
    """What flows along an edge: spikes if `source` is None, else the output of that weighted layer.

    `gain` is by how much it is larger than in the original, average poolings having become sums.
    """

    source: str | None = None
    gain: float = 1.0


@dataclass
class _Plan:
    modules: dict[str, nn.Module]
    open: dict[str, Weighted] = field(default_factory=dict)  # weighted layers without a neuron yet
    pairs: list[Pair] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)


def layer_pairs(model: nn.Module) -> tuple[list[Pair], tuple[str, ...]]:
    """The pairs in the order they run, and the names of the average poolings that become sums.

    Raises:
        NotImplementedError: something cannot be carried over to whole numbers; the message names it.
    """
    graph = call_graph("discretize", model)
    plan = _Plan(dict(model.named_modules(remove_duplicate=False)))
    _check_called_once(graph, plan.modules)
    signals: dict[fx.Node, _Signal] = {}
    in_no_units = sizes(graph)
    for node in graph.nodes:
        if node in in_no_units:
            continue
        inputs = [signals[before] for before in node.all_input_nodes if before in signals]
        signals[node] = _signal(node, inputs, plan)
        if node.op == "output" and signals[node].source is None and signals[node].gain != 1:
            raise NotImplementedError(
                f"discretize: the network ends in the average pooling {plan.pools[-1]!r}, whose output is not whole "
                "numbers. Leave it out, or put a SumPool2d in its place."
            )
    plan.pairs += [Pair((weighted,), None, 1.0) for weighted in plan.open.values()]
    return plan.pairs, tuple(plan.pools)


def _signal(node: fx.Node, inputs: list[_Signal], plan: _Plan) -> _Signal:
    if node.op == "call_module":
        module = plan.modules[str(node.target)]
        if len(inputs) == 1 and isinstance(module, AFFINE):
            return _through_weights(str(node.target), inputs[0], plan)
        if len(inputs) == 1 and isinstance(module, StatefulLayer):
            return _through_neuron(str(node.target), module, inputs[0], plan)
        if len(inputs) == 1 and isinstance(module, nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d):
            return _through_average(str(node.target), module, inputs[0], plan)
        known = isinstance(module, _PROPORTIONAL)
    else:
        known = node.op in ("placeholder", "output") or _is_known_call(node, inputs)
    if not known:
        raise _gap(node, plan, "is not known to keep whole numbers whole")
    if len(inputs) > 1 and any(signal != _Signal() for signal in inputs):
        raise _gap(node, plan, "brings together what is not spikes, in units of different layers")
    return inputs[0] if inputs else _Signal()


def _is_known_call(node: fx.Node, inputs: list[_Signal]) -> bool:
    if node.target in (operator.add, operator.iadd):
        return len(inputs) == 2  # a number is in nobody's units
    return (node.op == "call_function" and node.target in _FUNCTIONS) or (
        node.op == "call_method" and node.target in _METHODS
    )


def _through_weights(name: str, signal: _Signal, plan: _Plan) -> _Signal:
    if signal.source is not None:
        raise NotImplementedError(
            f"discretize: the output of {signal.source!r} reaches the weights of {name!r} without a spiking layer in "
            "between, so their units would mix. Convert the network first, or merge the two layers."
        )
    plan.open[name] = Weighted(name, 1 / signal.gain, 1.0)
    return _Signal(name)


def _through_neuron(name: str, module: StatefulLayer, signal: _Signal, plan: _Plan) -> _Signal:
    weighted = plan.open.pop(signal.source, None) if signal.source else None
    fault = _fault(module) or (
        "has no weighted layer of its own in front of it, whose scale it could share"
        if weighted is None
        else None
    )
    if fault or weighted is None:
        raise NotImplementedError(f"discretize: {name!r} ({type(module).__name__}) {fault}.")
    share = _input_share(name, module)
    weighted = Weighted(weighted.name, weighted.weight_gain * share, weighted.bias_gain * share)
    recurrent = [
        Weighted(f"{name}.{part}", signal.gain * share, signal.gain * share)
        for part, inner in module.named_modules()
        if isinstance(inner, AFFINE)
    ]
    plan.pairs.append(Pair((weighted, *recurrent), name, signal.gain, share))
    return _Signal()


def _fault(neuron: Any) -> str | None:
    """Why a neuron's potential would not stay a whole number, if so."""
    if not isinstance(neuron, LIF):
        return "is no IAF or LIF, whose states could be whole numbers"
    if not neuron.does_spike or neuron.spike_threshold is None:
        return "does not spike"
    if not isinstance(neuron.reset_fn, MembraneSubtract | MembraneReset):
        return f"has the reset {neuron.reset_fn!r}, whose units are unknown"
    connect = neuron._modules.get("rec_connect")
    parts = [] if connect is None else [p for p in connect.modules() if not list(p.children())]
    weights = [part for part in parts if isinstance(part, AFFINE)]
    if connect is not None and (
        len(weights) != 1
        or not all(isinstance(p, (*AFFINE, nn.Flatten, nn.Unflatten, nn.Identity)) for p in parts)
    ):
        return "has a recurrent connection that is not one convolution or linear layer"
    return None


def leaks(neuron: Any) -> bool:
    """Whether a state decays by a fraction."""
    return not isinstance(neuron, IAF) or neuron.alpha_syn_calculated is not None


def _input_share(name: str, neuron: Any) -> float:
    """What `norm_input` multiplies the input by: 1 - alpha, which has to be one number to go into the weights."""
    if isinstance(neuron, IAF) or not neuron.norm_input:
        return 1.0
    shares = torch.unique(1 - neuron.alpha_mem_calculated.detach())
    if shares.numel() != 1:
        raise NotImplementedError(
            f"discretize: {name!r} ({type(neuron).__name__}) has norm_input=True and neurons of different tau_mem, which "
            "the weights in front of it cannot take on. Use norm_input=False, or one tau_mem a layer."
        )
    return float(shares.item())


def _through_average(name: str, pool: Any, signal: _Signal, plan: _Plan) -> _Signal:
    plain = (
        isinstance(pool, nn.AvgPool2d)
        and pool.padding in (0, (0, 0))
        and not pool.ceil_mode
        and pool.divisor_override is None
    )
    if not plain:
        raise NotImplementedError(
            f"discretize: {name!r} ({pool}) divides by windows of different size or of other dimensions; an "
            "AvgPool2d without padding, ceil_mode and divisor_override becomes a SumPool2d."
        )
    size = pool.kernel_size
    if name not in plan.pools:
        plan.pools.append(name)
    window = size**2 if isinstance(size, int) else math.prod(size)
    return _Signal(signal.source, signal.gain * window)


def _check_called_once(graph: fx.Graph, modules: dict[str, nn.Module]) -> None:
    seen: set[int] = set()
    for node in graph.nodes:
        if node.op != "call_module":
            continue
        module = modules[str(node.target)]
        if isinstance(module, (*AFFINE, StatefulLayer)) and id(module) in seen:
            raise NotImplementedError(
                f"discretize: {node.target!r} ({type(module).__name__}) is called more than once in a forward pass; "
                "give each place a layer of its own."
            )
        seen.add(id(module))


def _gap(node: fx.Node, plan: _Plan, reason: str) -> NotImplementedError:
    module = plan.modules.get(str(node.target)) if node.op == "call_module" else None
    called = f"{node.target!r} ({type(module).__name__})" if module else f"the call {node.target}"
    return NotImplementedError(f"discretize: {called} {reason}, so it cannot be discretised.")
