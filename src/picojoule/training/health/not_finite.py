"""Where a network that has become NaN did so first."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from picojoule.layers import HookHandles


def first_not_finite(model: nn.Module, run: Callable[[], object]) -> str:
    """The first weights or outputs that are not finite, in the order of the layers, in words.

    Args:
        model: whose layers are watched.
        run: runs it once more.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> first_not_finite(model, lambda: model(torch.full((1, 2), torch.inf)))
        "the output of layer '0' (Linear)"
        >>> _ = nn.init.constant_(model[0].weight, float("nan"))
        >>> first_not_finite(model, lambda: model(torch.ones(1, 2)))
        "the weights '0.weight'"
    """
    broken = broken_weights(model)
    if broken:
        return f"the weights {broken!r}"
    found: list[str] = []
    handles = HookHandles()
    for name, module in model.named_modules():
        if not any(module.children()):
            handles.add(module.register_forward_hook(_FiniteHook(name, found)))
    try:
        with torch.no_grad():
            run()
    except ValueError as error:  # of `check_finite`, which names its layer
        return str(error)
    finally:
        handles.remove()
    return f"the output of layer {found[0]}" if found else "the loss itself; all layers are finite"


def broken_weights(model: nn.Module) -> str:
    """The name of the first weights that are not finite; empty if all are."""
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            return name
    return ""


class _FiniteHook:
    def __init__(self, name: str, found: list[str]) -> None:
        self._name, self._found = name, found

    def __call__(self, module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
            self._found.append(f"{self._name!r} ({type(module).__name__})")
