"""Which layer of a model does not take what it gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from picojoule.layers import HookHandles


def refusing_layer(model: nn.Module, call: Callable[[], object]) -> str:
    """A sentence on the innermost layer in which a call fails: what it is, and the shape that it got.

    Args:
        model: whose layers are looked at.
        call: runs the model, and fails.

    Returns:
        The sentence, with a space before it; empty if the call fails outside of the layers.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
        >>> refusing_layer(model, lambda: model(torch.ones(7, 3)))
        " Layer '1', Linear(in_features=5, out_features=2, bias=True), got 7 x 4."
    """
    entered: list[tuple[str, nn.Module, str]] = []

    def leave(*_: Any) -> None:
        entered.pop()

    def enter(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def note(layer: nn.Module, args: tuple[Any, ...]) -> None:
            shapes = [" x ".join(map(str, each.shape)) for each in args if isinstance(each, Tensor)]
            entered.append((name, layer, " and ".join(shapes)))

        return note

    with HookHandles() as handles:
        for name, layer in model.named_modules():
            handles.add(layer.register_forward_pre_hook(enter(name)))
            handles.add(layer.register_forward_hook(leave))
        with suppress(Exception):
            call()
            return ""
    return _sentence(*entered[-1]) if entered and entered[-1][0] else ""


def _sentence(name: str, layer: nn.Module, shapes: str) -> str:
    is_leaf = next(layer.children(), None) is None
    what = f", {layer}," if is_leaf and "\n" not in str(layer) else f" ({type(layer).__name__})"
    return f" Layer {name!r}{what} got {shapes}." if shapes else ""
