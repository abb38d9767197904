"""Thresholds and time constants as further levers: a budget can be met without touching a weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from torch import Tensor, nn

from picojoule.budget.names import check_names
from picojoule.layers import ALIF
from picojoule.layers.neuron import LeakyNeuron
from picojoule.ops.exporting import is_exporting

PerNeuron = Literal["layer", "channel", "neuron"]
# from where to where training may take them: thresholds in units of the potential, taus in time steps
_RANGES = {"threshold": (1e-2, None), "tau": (0.1, None), "alpha": (1e-4, 1.0)}


def make_trainable(
    model: nn.Module,
    *,
    thresholds: bool = True,
    leaks: bool = True,
    per: PerNeuron = "layer",
    layers: Sequence[str] = (),
) -> dict[str, nn.Parameter]:
    """Make spike thresholds and time constants of Picojoule's neurons parameters that training moves.

    In place, and before the optimizer is made. A Budget then has them as levers beside the weights; freeze
    the weights, and they are the only ones. Each forward pass and each `state_dict` first puts them back
    into their range (thresholds >= 0.01, taus >= 0.1 steps, 1e-4 <= alpha <= 1), so they stay positive
    whatever the optimizer does. Names and values in the `state_dict` are those of before, but for shapes
    that `per` has changed and the `b0` of an ALIF, which is not in it before: to load one, call this first.

    A threshold learns through the reset alone, as in sinabs: that of a neuron that never fires stays as it is.

    Args:
        model: any module with layers of :mod:`picojoule.layers`.
        thresholds: make `spike_threshold` trainable (`b0`, the threshold at rest, of an ALIF).
        leaks: make `tau_*` trainable, or `alpha_*` where the layer has these. Layers without a leak have none.
        per: one value for each "layer" (its shape stays as it is), "channel" (the first axis) or "neuron".
            The latter two need the shape of the state: call the model once before.
        layers: names of neuron layers; none for all.

    Returns:
        The parameters by their names in the model, for instance for a learning rate of their own.

    Raises:
        ValueError: a name is of no neuron layer, nothing is there to train, or a shape is not known yet.

    Example:
        >>> import torch
        >>> from picojoule.layers import LIF
        >>> model = nn.Sequential(nn.Linear(3, 4), LIF(tau_mem=20.0), nn.Linear(4, 2))
        >>> _ = model.requires_grad_(False)
        >>> levers = make_trainable(model)
        >>> list(levers)
        ['1.tau_mem', '1.spike_threshold']
        >>> optimizer = torch.optim.Adam(levers.values(), lr=1e-2)
    """
    if per not in get_args(PerNeuron):
        raise ValueError(
            f"make_trainable: per is {per!r}; choose one of {list(get_args(PerNeuron))}."
        )
    neurons = {n: m for n, m in model.named_modules() if isinstance(m, LeakyNeuron)}
    check_names(layers, tuple(neurons), "neuron layer", "make_trainable")
    wanted = [n for n in neurons if not layers or n in layers]
    found = {
        (f"{name}.{key}" if name else key): (name, key)
        for name in wanted
        for key in _keys(neurons[name], thresholds, leaks)
    }
    if not found:
        raise ValueError(
            f"make_trainable: nothing to train in {type(model).__name__} with thresholds={thresholds} and "
            f"leaks={leaks}. It needs layers such as picojoule.layers.LIF; an IAF has a threshold but no leak."
        )
    shapes = {name: _shape(name, neurons[name], per) for name, _ in found.values()}
    return {full: _trained(neurons[name], key, shapes[name]) for full, (name, key) in found.items()}


def _keys(layer: LeakyNeuron, thresholds: bool, leaks: bool) -> Iterator[str]:
    for key, _ in layer.named_parameters(recurse=False):
        if (leaks and key.startswith(("tau_", "alpha_"))) or (
            thresholds and key in ("spike_threshold", "b0")
        ):
            yield key
    if thresholds and isinstance(layer, ALIF) and "b0" in layer._buffers:
        yield "b0"


def _shape(name: str, layer: LeakyNeuron, per: PerNeuron) -> tuple[int, ...] | None:
    """The shape of one value a layer (None: as it is), channel or neuron."""
    if per == "layer":
        return None
    if layer.neuron_shape is None:
        raise ValueError(
            f"make_trainable: per={per!r} needs the number of neurons of layer {name!r}, which is not known "
            "before its first forward pass. Call the model once on an example, then make_trainable."
        )
    first, *others = layer.neuron_shape or (1,)
    return (first, *(others if per == "neuron" else [1] * len(others)))


def _trained(layer: LeakyNeuron, key: str, shape: tuple[int, ...] | None) -> nn.Parameter:
    value: Tensor = getattr(layer, key)
    parameter = value if isinstance(value, nn.Parameter) else nn.Parameter(value.detach().clone())
    if shape is not None and parameter.shape != shape:
        try:
            parameter = nn.Parameter(parameter.detach().expand(shape).clone())
        except RuntimeError:
            raise ValueError(
                f"make_trainable: {key} of {type(layer).__name__} has shape {tuple(value.shape)}, which does not "
                f"broadcast to {shape}. Use per='layer', which keeps its shape, or per='neuron'."
            ) from None
    if key in layer._buffers:
        delattr(layer, key)
    if parameter is not value:
        layer.register_parameter(key, parameter)
    parameter.requires_grad_()
    _keep_in_range(layer)
    return parameter


class _KeepInRange:
    """A hook that puts a layer's thresholds and time constants back into their range."""

    def __call__(self, layer: nn.Module, *_: Any) -> None:
        if is_exporting():  # a program's parameters are not to be changed by it
            return
        for key, parameter in layer.named_parameters(recurse=False):
            kind = "threshold" if key in ("spike_threshold", "b0") else key.partition("_")[0]
            if kind in _RANGES and parameter.requires_grad:
                # not seen by autograd: an earlier graph that is still to be used stays valid
                parameter.data.clamp_(*_RANGES[kind])


def _keep_in_range(layer: nn.Module) -> None:
    if any(isinstance(hook, _KeepInRange) for hook in layer._forward_pre_hooks.values()):
        return
    hook = _KeepInRange()
    layer.register_forward_pre_hook(hook)
    layer.register_state_dict_pre_hook(hook)  # type: ignore[no-untyped-call]  # by torch
