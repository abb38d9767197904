"""What of a model a compiled network leaves out: the user's hooks, and what only training does."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

from torch import nn

_OTHER_IN_TRAINING = nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd
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


def warn_of_training(model: nn.Module) -> None:
    """Warn the caller's caller of the first layer that is in training mode and does something else there."""
    for name, module in model.named_modules():
        if module.training and isinstance(module, _OTHER_IN_TRAINING):
            warnings.warn(
                f"events.compile: {name!r} ({type(module).__name__}) is in training mode, and the network runs as in evaluation: its spikes "
                "are those after model.eval().",
                UserWarning,
                stacklevel=3,
            )
            return


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
