"""NIR's neurons as our layers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from picojoule.activation import (
    MembraneHold,
    MembraneReset,
    ResetFunction,
    SingleSpike,
    SpikeFunction,
    WholeStates,
)
from picojoule.convert.nir.arrays import Array
from picojoule.convert.nir.metadata import built, tensor, unpacked
from picojoule.convert.nir.read_layer import linear
from picojoule.convert.nir.scale import Scale
from picojoule.convert.nir.simplify import Recurrent
from picojoule.convert.nir.time_step import TimeStep
from picojoule.layers import (
    IAF,
    LIF,
    ExpLeak,
    ExpLeakSqueeze,
    IAFRecurrent,
    IAFRecurrentSqueeze,
    IAFSqueeze,
    LIFRecurrent,
    LIFRecurrentSqueeze,
    LIFSqueeze,
)

# by what the neuron is: feed-forward, recurrent; each as it is and squeezed
LAYERS: dict[str, tuple[tuple[Any, Any], tuple[Any, Any]]] = {
    "IF": ((IAF, IAFSqueeze), (IAFRecurrent, IAFRecurrentSqueeze)),
    "LIF": ((LIF, LIFSqueeze), (LIFRecurrent, LIFRecurrentSqueeze)),
    "CubaLIF": ((LIF, LIFSqueeze), (LIFRecurrent, LIFRecurrentSqueeze)),
    "LI": ((ExpLeak, ExpLeakSqueeze), (LIFRecurrent, LIFRecurrentSqueeze)),
    "CubaLI": ((LIF, LIFSqueeze), (LIFRecurrent, LIFRecurrentSqueeze)),
}


@dataclass(frozen=True)
class ReadingOptions:
    """How to read what NIR leaves open."""

    step: TimeStep
    squeeze: dict[str, int | None]
    spike_fn: SpikeFunction | type[SpikeFunction] | None = None
    reset_fn: ResetFunction | None = None
    fires_at_threshold: bool | None = None
    source: str = ""  # what messages put in front of the node


def neuron(where: str, node: nir.NIRNode | Recurrent, options: ReadingOptions) -> list[nn.Module]:
    """The neuron layer, after a `Scale` where its input has a weight that the layer has no parameter for."""
    cell = node.neuron if isinstance(node, Recurrent) else node
    kind = type(cell).__name__
    ours = unpacked(cell.metadata)
    lost, scale, norm_input = _input_path(where, cell, options.step)
    arguments = _firing(where, cell, ours, options)
    told = options.reset_fn is not None or options.fires_at_threshold  # which snnTorch does not
    if ours is None and not told and _holds(node):
        arguments["reset_fn"] = _held(where, arguments["reset_fn"])
    shift: Array | float = 0.0
    if isinstance(node, Recurrent):
        delayed = ours is not None and not ours.get("bias_from_start", False)
        connect, shift = _feedback(node.feedback, scale, delayed_bias=delayed)
        arguments["rec_connect"] = connect
    if kind != "IF":
        arguments["norm_input"] = norm_input
    layer = _layer(kind, lost, arguments, ours, options)
    if np.allclose(scale, 1.0, rtol=1e-5) and not np.any(shift):
        return [layer]
    return [Scale(scale, shift), layer]


def _input_path(
    where: str, cell: nir.NIRNode, step: TimeStep
) -> tuple[dict[str, Array], Array, bool]:
    """Shares lost per step by name, the factor that is left for the input, and `norm_input`."""
    r = np.asarray(cell.r, dtype=np.float64)
    if type(cell).__name__ == "IF":
        # sinabs, Norse and snnTorch write r = 1 for "an input of 1 adds 1", whatever their dt
        return {}, np.where((r == 1).all(), r, r * step.dt), False
    syn = getattr(cell, "tau_syn", None)
    mem = step.lost(cell.tau if syn is None else cell.tau_mem, where)
    norm_input = bool((r == 1).all())
    scale = np.ones_like(mem) if norm_input else r * mem
    if syn is None:
        return {"mem": mem}, scale, norm_input
    lost = step.lost(syn, where)
    w_in = np.asarray(cell.w_in, dtype=np.float64)
    return {"mem": mem, "syn": lost}, scale * w_in * lost / (1 - lost), norm_input


def _firing(
    where: str, cell: nir.NIRNode, ours: dict[str, Any] | None, options: ReadingOptions
) -> dict[str, Any]:
    leak = np.asarray(getattr(cell, "v_leak", 0.0))
    if not hasattr(cell, "v_threshold"):
        if leak.any():
            raise NotImplementedError(
                f"from_nir: {where} has v_leak != 0, which a leaky integrator "
                "here cannot rest at. Take v_leak off its input and add it to its output."
            )
        return {}
    # potentials count from v_leak, where neurons start
    threshold = np.asarray(cell.v_threshold - leak)
    if not (threshold > 0).all():
        at = np.broadcast_to(threshold <= 0, threshold.shape)
        raise NotImplementedError(
            f"from_nir: {where} has v_leak {np.broadcast_to(leak, at.shape)[at].flat[0]:.4g}, not below its "
            f"v_threshold {np.asarray(cell.v_threshold)[at].flat[0]:.4g}, so that it fires without input; the threshold of a layer "
            "here lies above its rest. Lower v_leak and add the difference to the neuron's input, as a bias."
        )
    at_threshold = options.fires_at_threshold
    if at_threshold is None:
        at_threshold = ours is not None
    if not at_threshold:  # NIR fires above the threshold: the next number is reached just then
        dtype = torch.empty(0).numpy().dtype
        threshold = np.nextafter(threshold.astype(dtype), np.asarray(np.inf, dtype))
    firing: dict[str, Any] = {"spike_threshold": torch.from_numpy(np.array(threshold))}
    if ours is None:
        firing |= {"spike_fn": SingleSpike, "reset_fn": _reset(where, cell, leak)}
    else:
        firing["spike_fn"] = built(ours["spike_fn"])
        firing["reset_fn"] = built(ours["reset_fn"])
        firing["surrogate_grad_fn"] = built(ours["surrogate_grad_fn"])
    asked = {"spike_fn": options.spike_fn, "reset_fn": options.reset_fn}
    return firing | {name: part for name, part in asked.items() if part is not None}


def _reset(where: str, cell: nir.NIRNode, leak: Array) -> MembraneReset:
    value = np.unique(np.asarray(cell.v_reset - leak))
    if value.size != 1:
        raise NotImplementedError(
            f"from_nir: {where} has neurons with different v_reset, from "
            f"{value.min():.4g} to {value.max():.4g}; a layer here resets to one value."
        )
    return MembraneReset(float(value[0]))


def _holds(node: nir.NIRNode | Recurrent) -> bool:
    """Whether it is a `Synaptic`, `RLeaky` or `RSynaptic` of snnTorch: an input of 1 adds 1 for its dt of 1e-4."""
    cell = node.neuron if isinstance(node, Recurrent) else node
    cuba = type(cell).__name__ == "CubaLIF"
    if not cuba and not (isinstance(node, Recurrent) and type(cell).__name__ == "LIF"):
        return False
    times = {"r": cell.tau_mem, "w_in": cell.tau_syn} if cuba else {"r": cell.tau}
    return all(
        np.allclose(np.asarray(getattr(cell, name)) * 1e-4, np.asarray(tau), rtol=1e-4)
        for name, tau in times.items()
    )


def _held(where: str, reset: MembraneReset) -> MembraneHold:
    warnings.warn(
        f"{where} is written as snnTorch does, whose files do not say how a neuron resets; it is read with "
        'reset_mechanism="zero" and reset_delay=True. Pass reset_fn=MembraneHold() if that is right, MembraneReset() for '
        '"zero" with reset_delay=False, MembraneSubtract(threshold / beta) for "subtract".',
        UserWarning,
        stacklevel=6,
    )
    return MembraneHold(reset.reset_value)


def _feedback(
    node: nir.NIRNode, scale: Array, *, delayed_bias: bool
) -> tuple[nn.Linear, Array | float]:
    """The recurrent connection, and what its bias adds to the input of every step.

    In NIR a bias acts from the first step on, here (`delayed_bias`) with the first feedback.
    """
    connect = linear(node)
    factor = torch.as_tensor(np.asarray(scale), dtype=connect.weight.dtype)
    with torch.no_grad():
        if not np.allclose(scale, 1.0, rtol=1e-5):
            connect.weight.mul_(factor.reshape(-1, 1))
            if connect.bias is not None:
                connect.bias.mul_(factor)
    if connect.bias is None or delayed_bias:
        return connect, 0.0
    shift = connect.bias.detach().numpy()
    connect.register_parameter("bias", None)
    return connect, shift


def _layer(
    kind: str,
    lost: dict[str, Array],
    arguments: dict[str, Any],
    ours: dict[str, Any] | None,
    options: ReadingOptions,
) -> LIF:
    """Foreign neurons have their `alpha` as parameter, exactly what the file says; ours what they had."""
    feed_forward, recurrent = LAYERS[kind]
    plain_or_squeezed = recurrent if "rec_connect" in arguments else feed_forward
    squeezed = any(n is not None for n in options.squeeze.values())
    if ours is None:
        as_alpha, shapes = True, {}
    else:
        as_alpha, shapes = ours["train_alphas"], ours["shapes"]
        arguments["min_v_mem"] = tensor(ours["min_v_mem"])
    for name, share in lost.items():
        arguments[f"tau_{name}"] = torch.as_tensor(-1 / np.log1p(-share))
    if lost:
        arguments["train_alphas"] = as_alpha
    if kind == "CubaLI" or (kind == "LI" and "rec_connect" in arguments):
        arguments["spike_fn"] = None
    if squeezed:
        arguments |= options.squeeze
    layer: LIF = plain_or_squeezed[squeezed](**arguments)
    if isinstance(layer.reset_fn, MembraneHold | WholeStates):
        layer.impl = "reference"  # no kernel knows these resets
    _set_exactly(layer, lost if as_alpha else {}, shapes)
    return layer


def _set_exactly(layer: LIF, lost: dict[str, Array], shapes: dict[str, list[int]]) -> None:
    """Alphas from the shares lost, without the detour over tau; parameters in the shapes they had."""
    for name, share in lost.items():
        getattr(layer, f"alpha_{name}").data.copy_(torch.as_tensor(1 - share))
    for name, shape in shapes.items():
        parameter = layer._parameters.get(name)
        if name != "min_v_mem" and parameter is not None:
            parameter.data = _narrowed(parameter.data, shape)


def _narrowed(full: Tensor, shape: Sequence[int]) -> Tensor:
    """One of the equal values along each axis that a parameter of this shape broadcasts over."""
    sizes = (1,) * (full.ndim - len(shape)) + tuple(shape)
    return full[tuple(slice(0, n) for n in sizes)].reshape(tuple(shape)).clone()
