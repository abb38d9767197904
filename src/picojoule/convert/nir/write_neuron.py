"""Our neurons as NIR nodes."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from torch import Tensor, nn

from picojoule.convert.nir.arrays import Array, array
from picojoule.convert.nir.metadata import described, packed, plain
from picojoule.convert.nir.refusal import not_carried
from picojoule.convert.nir.time_step import TimeStep, per_step
from picojoule.layers import LIF


def neuron_node(
    where: str, layer: LIF, shape: tuple[int, ...], step: TimeStep, bias: Tensor | None = None
) -> nir.NIRNode:
    """The NIR node for a neuron layer whose state has the shape `*n`.

    A `bias` is added to its feedback in every step, the first included, as NIR's are; the bias of a
    connection of ours comes with the first feedback.

    With a share `lost` per step, our `v = (1 - lost) * v + x` has R = 1 / lost, and with `norm_input` R = 1.
    Our synaptic current decays in the step in which the input arrives: w_in = (1 - lost) / lost.
    """
    recurrent = layer._modules.get("rec_connect")
    if recurrent is None:
        return _node(where, layer, shape, step)
    neuron = _node(where, layer, shape, step, bias_from_start=bias is not None)
    return nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array(shape)}),
            "lif": neuron,
            "w_rec": _feedback(where, layer, recurrent, bias),
            "output": nir.Output({"output": np.array(shape)}),
        },
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )


def _feedback(where: str, layer: LIF, connect: nn.Module, bias: Tensor | None) -> nir.NIRNode:
    while isinstance(connect, nn.Sequential) and len(connect) == 1:
        connect = connect[0]
    if type(connect) is not nn.Linear:
        raise not_carried(
            where,
            layer,
            f"rec_connect={type(connect).__name__}",
            "Only nn.Linear has a NIR node that neurons can feed back through.",
        )
    weight = array(connect.weight)
    bias = connect.bias if bias is None else bias
    if bias is None:
        return nir.Linear(weight=weight)
    return nir.Affine(weight=weight, bias=np.broadcast_to(array(bias), weight.shape[:1]).copy())


def _node(
    where: str,
    layer: LIF,
    shape: tuple[int, ...],
    step: TimeStep,
    *,
    bias_from_start: bool = False,
) -> nir.NIRNode:
    _raise_if_not_carried(where, layer, shape)
    mem = _lost(where, layer, "mem", shape)
    syn = _lost(where, layer, "syn", shape)
    fields: dict[str, Any] = {"metadata": _metadata(layer, bias_from_start)}
    if layer.does_spike:
        assert layer.spike_threshold is not None
        threshold = np.broadcast_to(array(layer.spike_threshold), shape).copy()
        reset = float(getattr(layer.reset_fn, "reset_value", 0.0))
        fields |= {"v_threshold": threshold, "v_reset": np.full_like(threshold, reset)}
    if mem is None:
        return nir.IF(r=np.ones(shape, fields["v_threshold"].dtype), **fields)
    fields |= {"r": np.ones(shape) if layer.norm_input else 1 / mem, "v_leak": np.zeros(shape)}
    if syn is None:
        return (nir.LIF if layer.does_spike else nir.LI)(tau=step.tau(mem), **fields)
    fields |= {"tau_mem": step.tau(mem), "tau_syn": step.tau(syn), "w_in": (1 - syn) / syn}
    return (nir.CubaLIF if layer.does_spike else nir.CubaLI)(**fields)


def _metadata(layer: LIF, bias_from_start: bool) -> dict[str, str]:
    names = [*layer._parameters]
    shapes = {name: list(p.shape) for name in names if (p := layer._parameters[name]) is not None}
    return packed(
        spike_fn=None if layer.spike_fn is None else described(layer.spike_fn),
        reset_fn=described(layer.reset_fn),
        surrogate_grad_fn=described(layer.surrogate_grad_fn),
        min_v_mem=plain(layer.min_v_mem),
        train_alphas=layer.train_alphas,
        shapes=shapes,
        **({"bias_from_start": True} if bias_from_start else {}),
    )


def _raise_if_not_carried(where: str, layer: LIF, shape: tuple[int, ...]) -> None:
    if not shape:
        raise not_carried(
            where, layer, "no neuron axis", "Give it input of shape (batch, time, 1)."
        )
    for name in ("spike_fn", "reset_fn", "surrogate_grad_fn"):
        part = getattr(layer, name)
        if part is not None and described(part) is None:
            raise not_carried(
                where,
                layer,
                f"{name}={getattr(part, '__name__', type(part).__name__)}",
                f"Set {name} to one of picojoule.activation before the export.",
            )
    if layer.tau_mem is None and layer.alpha_mem is None:
        if layer.alpha_syn_calculated is not None:
            raise not_carried(
                where, layer, "tau_syn without a leak", "Use LIF with a long tau_mem in its place."
            )
        if not layer.does_spike:
            raise not_carried(where, layer, "neither leak nor spikes", "Use ExpLeak in its place.")


def _lost(where: str, layer: LIF, name: str, shape: tuple[int, ...]) -> Array | None:
    """The share that is lost in a step, `*n`."""
    tau, alpha = getattr(layer, f"tau_{name}"), getattr(layer, f"alpha_{name}")
    lost = per_step(None if tau is None else array(tau), None if alpha is None else array(alpha))
    if lost is None:
        return None
    if (lost == 0).any():
        raise not_carried(where, layer, f"alpha_{name}=1", "A neuron that never leaks is IAF.")
    if (lost == 1).any():
        raise not_carried(where, layer, f"alpha_{name}=0", f"Use a longer tau_{name}.")
    return np.broadcast_to(lost, shape).copy()
