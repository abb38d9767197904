"""Hooks of a user's, which a compiled network does not call."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

from torch import nn

_KNOWN = "picojoule.", "torch.nn.utils."  # they watch, or compute a weight, which the network has


def warn_of_hooks(model: nn.Module, where: str = "events.compile") -> None:
    """Warn the caller's caller of the first hook that somebody else put on a module: it may change what the module gives out.

    A Monitor's do not count, nor do torch's that prune or normalise weights: these are in the weights that are copied.
    """
    found = [(name, hook) for name, hook in _hooks(model) if not _whose(hook).startswith(_KNOWN)]
    if not found:
        return
    name, hook = found[0]
    others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    module, place = model.get_submodule(name), repr(name) if name else "the model"
    warnings.warn(
        f"{where}: the hook {_called(hook)} on {place} ({type(module).__name__}){others} is not called event by "
        "event. If it changes what the module gives out, the network's spikes are other than the model's: write it as a "
        "layer. If it only looks on, remove it before compiling; network.states() and network.synops are there to be looked at.",
        UserWarning,
        stacklevel=3,
    )


def _hooks(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in model.named_modules():
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
            yield name, hook


def _whose(hook: Any) -> str:
    """The module that a hook comes from: a function, a method, a partial or an object that can be called."""
    while not inspect.isroutine(hook) and hasattr(hook, "func"):
        hook = hook.func
    module = getattr(hook, "__module__", None) or type(hook).__module__
    return f"{module}."


def _called(hook: Any) -> str:
    while not inspect.isroutine(hook) and hasattr(hook, "func"):
        hook = hook.func
    return str(getattr(hook, "__qualname__", type(hook).__name__))
