"""Graphs for one reader: what it turns into the same spikes, or a word on what it cannot do.

The potential has no unit of its own: a neuron with `g` times the input gain, threshold and reset fires the
same. So where a reader takes input gains for given, threshold and reset are divided by what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import nir
import numpy as np
from torch import nn

from picojoule.activation import (
    MaxSpike,
    MembraneReset,
    MembraneSubtract,
    MultiSpike,
    SingleSpike,
)
from picojoule.convert.nir.arrays import Array, array
from picojoule.convert.nir.time_step import Discretisation, TimeStep
from picojoule.layers import LIF

TargetName = Literal["norse", "sinabs", "snntorch", "spikingjelly"]


@dataclass(frozen=True)
class Target:
    """A reader of NIR.

    Args:
        name: as the user gives it.
        dt: the step it takes for given, in seconds.
        nodes: the types of nodes that it reads.
        fixed_dt: it knows no other.
        discretisation: how it turns time constants into steps.
        multi: it fires several times a step and subtracts; otherwise once, and resets to 0.
        above: it fires above the threshold, not at it.
        uniform: neurons of a layer must be alike.
    """

    name: TargetName
    dt: float
    nodes: frozenset[str]
    fixed_dt: bool = False
    discretisation: Discretisation = "euler"
    multi: bool = False
    above: bool = False
    uniform: bool = False


_COMMON = frozenset({"Input", "Output", "Affine", "Conv2d", "Flatten", "IF", "LIF"})
TARGETS = {
    target.name: target
    for target in (
        Target("norse", 1e-3, _COMMON | {"CubaLIF", "SumPool2d"}, above=True),
        Target("sinabs", 1.0, _COMMON | {"SumPool2d"}, True, "exponential", multi=True),
        Target(
            "snntorch",
            1e-4,
            _COMMON | {"Linear", "CubaLIF", "AvgPool2d"},
            True,
            above=True,
            uniform=True,
        ),
        Target(
            "spikingjelly",
            1e-4,
            _COMMON | {"Linear", "CubaLIF", "AvgPool2d", "Conv1d"},
            uniform=True,
        ),
    )
}


def target_called(name: str) -> Target:
    """The target of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in TARGETS:
        raise ValueError(
            f"to_nir: target is {name!r}, expected one of {', '.join(get_args(TargetName))}."
        )
    return TARGETS[name]


def step_for(target: Target | None, dt: float | None, discretisation: str | None) -> TimeStep:
    """The step that is asked for, or that the target takes for given.

    Raises:
        ValueError: the target knows no such step.
    """
    if target is None:
        return TimeStep(1e-4 if dt is None else dt, discretisation or "euler")  # type: ignore[arg-type]
    if discretisation not in (None, target.discretisation):
        raise ValueError(
            f"to_nir: {target.name} reads time constants as {target.discretisation!r}, but discretisation is "
            f"{discretisation!r}."
        )
    if dt is not None and target.fixed_dt and dt != target.dt:
        raise ValueError(f"to_nir: {target.name} takes steps of {target.dt:g} s, but dt is {dt:g}.")
    return TimeStep(target.dt if dt is None else dt, target.discretisation)


def node_for(
    target: Target, where: str, module: nn.Module, node: nir.NIRNode, step: TimeStep
) -> nir.NIRNode:
    """The node that the target reads as this layer.

    Raises:
        NotImplementedError: it reads none so; the message names the layer and the attribute.
    """
    kind = type(node).__name__
    if kind == "Linear" and "Linear" not in target.nodes:
        node, kind = (
            nir.Affine(node.weight, np.zeros(len(node.weight), node.weight.dtype)),
            "Affine",
        )
    if kind == "NIRGraph":
        raise _cannot(target, where, module, "a recurrent connection", "Leave it out.")
    if kind not in target.nodes:
        raise _cannot(target, where, module, f"the node {kind}", "Put another layer in its place.")
    if isinstance(module, LIF):
        _check_firing(target, where, module, node)
        return _neuron(target, where, module, node, step)
    return _layer(target, where, module, node)


def _layer(target: Target, where: str, module: nn.Module, node: nir.NIRNode) -> nir.NIRNode:
    if type(node).__name__ == "Flatten":
        # counted from the end: some readers have a batch in front, some forget it
        node.start_dim = int(node.start_dim) - len(node.input_type["input"])
    if int(getattr(node, "groups", 1)) != 1:
        raise _cannot(target, where, module, f"groups={node.groups}", "Use groups=1.")
    if isinstance(getattr(node, "padding", 0), str):
        raise _cannot(target, where, module, f"padding={node.padding!r}", "Use an odd kernel.")
    if type(node).__name__ == "SumPool2d" and np.any(node.padding):
        raise _cannot(target, where, module, "padding of a sum pooling", "Leave it out.")
    return node


def _check_firing(target: Target, where: str, layer: LIF, node: nir.NIRNode) -> None:
    if not layer.does_spike:
        return
    spike = layer.spike_fn() if isinstance(layer.spike_fn, type) else layer.spike_fn
    once = isinstance(spike, SingleSpike) or (
        isinstance(spike, MaxSpike) and spike.max_num_spikes_per_bin == 1
    )
    if not (isinstance(spike, MultiSpike) if target.multi else once):
        does, use = ("several times", "MultiSpike") if target.multi else ("once", "SingleSpike")
        raise _cannot(
            target,
            where,
            layer,
            f"spike_fn={type(spike).__name__}",
            f"It fires {does} a step: train with spike_fn={use}.",
        )
    right = MembraneSubtract() if target.multi else MembraneReset()
    if layer.reset_fn != right:
        raise _cannot(target, where, layer, f"reset_fn={layer.reset_fn}", f"Train with {right}.")
    lowest = None if layer.min_v_mem is None else array(layer.min_v_mem)
    if target.multi and type(node).__name__ == "IF":
        bound = -node.v_threshold
        if lowest is None or not np.allclose(lowest, bound):
            raise _cannot(
                target,
                where,
                layer,
                f"min_v_mem={lowest}",
                "It bounds an IF at minus its threshold.",
            )
    elif lowest is not None:
        raise _cannot(target, where, layer, "min_v_mem", "Leave it out.")


def _neuron(
    target: Target, where: str, layer: LIF, node: nir.NIRNode, step: TimeStep
) -> nir.NIRNode:
    kind = type(node).__name__
    gain: Array | float = 1.0  # of the input, in the layer over in the reader
    if kind == "LIF":
        if target.name == "sinabs" and node.tau.ndim > 1:
            axes = " x ".join(map(str, node.tau.shape))
            raise _cannot(
                target,
                where,
                layer,
                f"a leak and neurons on {axes}",
                "Flatten in front of it, or use IAF.",
            )
        lost = step.lost(node.tau, where)
        unit = target.name == "norse"  # it reads every r as 1, others an input of 1 as adding 1
        gain = node.r if unit else node.r * lost
        node.r = np.ones_like(lost) if unit else 1 / lost
    if kind == "CubaLIF":
        lost, lost_syn = step.lost(node.tau_mem, where), step.lost(node.tau_syn, where)
        gain = node.r * lost * node.w_in * lost_syn
        node.r, node.w_in = node.tau_mem / step.dt, node.tau_syn / step.dt
    if kind == "IF":
        node = _integrator(target, node, step)
    if hasattr(node, "v_threshold"):
        threshold = (node.v_threshold / gain).astype(np.float32)
        if target.above:
            threshold = np.nextafter(threshold, np.float32(-np.inf))
        node.v_threshold, node.v_reset = threshold, np.zeros_like(threshold)
        if target.uniform and np.unique(threshold).size > 1:
            raise _cannot(target, where, layer, "different thresholds", "Use one a layer.")
    taus = [getattr(node, name, None) for name in ("tau", "tau_mem", "tau_syn")]
    if target.uniform and any(tau is not None and np.unique(tau).size > 1 for tau in taus):
        raise _cannot(target, where, layer, "different time constants", "Use one a layer.")
    return node


def _integrator(target: Target, node: nir.NIRNode, step: TimeStep) -> nir.NIRNode:
    if target.name == "spikingjelly":
        node.r = np.full_like(node.r, 1 / step.dt, dtype=np.float64)
    if target.name != "snntorch":
        return node
    # it reads IF as a neuron that leaks a tenth, and this as one that leaks nothing
    tau = np.full(node.r.shape, 1e20 * step.dt)
    return nir.LIF(
        tau=tau,
        r=tau / step.dt,
        v_leak=np.zeros_like(tau),
        v_threshold=node.v_threshold,
        v_reset=node.v_reset,
        metadata={},
    )


def _cannot(
    target: Target, where: str, layer: object, attribute: str, advice: str
) -> NotImplementedError:
    return NotImplementedError(
        f"to_nir: layer {where!r} ({type(layer).__name__}) has {attribute}, which {target.name}'s reader of NIR does not "
        f"do. {advice}"
    )
