"""Multiplying layers by factors, with the whole network in view: what rescaling methods share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from picojoule.budget.masks import multiply
from picojoule.convert.graph import AFFINE, check_own_weights
from picojoule.layers import HookHandles, StatefulLayer


class Pass(NamedTuple):
    """What one forward pass showed."""

    order: list[str]  # names of the weighted layers as they were called, repetitions included
    outputs: dict[str, Tensor]  # of the layers asked for, as they were called last
    result: Any


def weighted_layers(where: str, model: nn.Module) -> dict[str, nn.Module]:
    """Convolutions and linear layers by name, after a check that their weights may be scaled.

    Raises:
        ValueError: a layer normalises, or shares its weights, so that a factor would not do what it is
            meant to; or there is no layer.
    """
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            raise ValueError(
                f"{where}: {name!r} ({type(module).__name__}) takes any factor out again. Call "
                "picojoule.convert.fold_batch_norm first."
            )
    check_own_weights(where, model)
    layers: dict[str, nn.Module] = {
        name: part for name, part in model.named_modules() if isinstance(part, AFFINE)
    }
    if not layers:
        raise ValueError(
            f"{where}: there is no convolution or linear layer in {type(model).__name__}."
        )
    return layers


def watch_pass(
    where: str, model: nn.Module, data: Any, layers: dict[str, nn.Module], outputs: list[str]
) -> Pass:
    """Run the model once, in evaluation mode and without gradients, and put its modes back."""
    order: list[str] = []
    seen: dict[str, Tensor] = {}
    modules = dict(model.named_modules(remove_duplicate=False))

    def note_call(name: str) -> Any:
        return lambda *_: order.append(name)

    def note_output(name: str) -> Any:
        def hook(module: nn.Module, _inputs: Any, output: Any) -> None:
            if name in seen:
                raise ValueError(
                    f"{where}: layer {name!r} is called more than once in a forward pass."
                )
            if not isinstance(output, Tensor):
                raise TypeError(
                    f"{where}: output layer {name!r} ({type(module).__name__}) gives a {type(output).__name__}, expected "
                    "one tensor. Name the layer that gives the activations."
                )
            seen[name] = output.detach().clone()

        return hook

    with HookHandles() as handles, evaluated(model), torch.no_grad():
        for name, layer in layers.items():
            handles.add(layer.register_forward_hook(note_call(name)))
        for name in outputs:
            handles.add(modules[name].register_forward_hook(note_output(name)))
        result = model(data)
    return Pass(order, seen, result)


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module gets its own mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def scale(layer: Any, weight_by: float, bias_by: float) -> None:
    """Multiply in place."""
    multiply(layer, weight_by)
    if layer.bias is not None:
        multiply(layer, bias_by, "bias")


def refuse_states(where: str, model: nn.Module) -> None:
    """Raise TypeError if the model has states, since its output is not proportional to its input."""
    for name, module in model.named_modules():
        if isinstance(module, StatefulLayer):
            raise TypeError(
                f"{where}: {name!r} is a {type(module).__name__}; expected a network of ReLUs. Normalise before "
                "converting."
            )
