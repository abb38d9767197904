"""What the layers of a model give out for one input, as numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from picojoule.layers import stateful_layers

Array = np.ndarray[Any, Any]
INPUT = "Input"


def get_activations(
    torchanalog_model: nn.Module,
    tsrData: Tensor,
    name_list: Sequence[str] | None = None,
) -> list[Array]:
    """Outputs of the named layers, in the order of the names.

    The model runs in evaluation mode and is put back into the mode of each of its modules.

    Args:
        torchanalog_model: the model.
        tsrData: its input.
        name_list: qualified names of layers, and "Input" for the input; the input and every module
            if omitted. Of a layer that is called more than once, the last output is given.

    Raises:
        ValueError: a name is not that of a module, or the module is never called.

    Example:
        >>> model = nn.Sequential(nn.Identity(), nn.ReLU())
        >>> [a.tolist() for a in get_activations(model, torch.tensor([-1.0, 2.0]), ["1", "Input"])]
        [[0.0, 2.0], [-1.0, 2.0]]
    """
    names = [INPUT, *(name for name, _ in torchanalog_model.named_modules() if name)]
    modes = [(module, module.training) for module in torchanalog_model.modules()]
    torchanalog_model.eval()
    try:
        outputs = _outputs(torchanalog_model, tsrData, names if name_list is None else name_list)
    finally:
        for module, training in modes:
            module.training = training
    return [output.cpu().numpy() for output in outputs]


def get_network_activations(
    model: nn.Module,
    inp: Tensor,
    name_list: Sequence[str] | None = None,
    bRate: bool = False,
) -> list[Array]:
    """Spikes that the named layers give out over time, in the order of the names.

    The model starts from states of zero and is given its own states back.

    Args:
        model: a spiking model whose first axis is time (one sample, batch and time folded).
        inp: its input.
        name_list: qualified names of layers, and "Input" for the input; the input and every stateful
            layer if omitted.
        bRate: give spikes per 1000 time steps instead of counts.

    Raises:
        ValueError: a name is not that of a module, or the module is never called.

    Example:
        >>> from picojoule.layers import IAFSqueeze
        >>> model = nn.Sequential(IAFSqueeze(batch_size=1))
        >>> [a.tolist() for a in get_network_activations(model, torch.full((4, 2), 0.5))]
        [[2.0, 2.0], [2.0, 2.0]]
    """
    if name_list is None:
        name_list = [INPUT, *(name for name, _ in stateful_layers(model))]
    kept = [(layer, layer.states()) for _, layer in stateful_layers(model)]
    for layer, states in kept:
        for name, state in states.items():
            setattr(layer, name, torch.zeros_like(state))
    try:
        outputs = _outputs(model, inp, name_list)
    finally:
        for layer, states in kept:
            for name, state in states.items():
                setattr(layer, name, state)
    scale = 1000 / max(len(inp), 1) if bRate else 1
    return [(output.float().sum(0) * scale).cpu().numpy() for output in outputs]


def _outputs(model: nn.Module, data: Tensor, names: Sequence[str]) -> list[Tensor]:
    """The named outputs of one forward pass without gradients; hooks are taken off again."""
    modules = dict(model.named_modules(remove_duplicate=False))
    unknown = [name for name in names if name != INPUT and name not in modules]
    if unknown:
        raise ValueError(
            f"There is no layer named {unknown[0]!r}; the model has {', '.join(filter(None, modules))}."
        )
    outputs = {INPUT: data.detach()}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            outputs[name] = output.detach()

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names if name != INPUT]
    try:
        with torch.no_grad():
            model(data)
    finally:
        for handle in handles:
            handle.remove()
    silent = [name for name in names if name not in outputs]
    if silent:
        raise ValueError(f"Layer {silent[0]!r} was not called in the forward pass of the model.")
    return [outputs[name] for name in names]
