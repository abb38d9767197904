"""Hooks that somebody put on a module: what they change in its output is nowhere in its layers."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

from torch import nn

# they watch, infer shapes, or compute a weight, which is there
_KNOWN = "picojoule.", "torch.nn.utils.", "torch.nn.modules."


def warn_of_hooks(
    model: nn.Module, where: str, unseen: str, changes: str, looks_on: str, stacklevel: int = 3
) -> None:
    """Warn of the first hook that somebody else put on a module: it may change what the module gives out.

    A Monitor's do not count, nor do torch's that prune or normalise weights.

    Args:
        model: with the hooks.
        where: the public function.
        unseen: what is not done with the hook.
        changes: what is wrong if it changes what the module gives out.
        looks_on: what to do if it does not.
        stacklevel: of the warning; 3 for who called the public function.
    """
    found = [(name, hook) for name, hook in _hooks(model) if not _whose(hook).startswith(_KNOWN)]
    if not found:
        return
    name, hook = found[0]
    others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    module, place = model.get_submodule(name), repr(name) if name else "the model"
    warnings.warn(
        f"{where}: the hook {_called(hook)} on {place} ({type(module).__name__}){others} is not {unseen}. If it changes what the module "
        f"gives out, {changes}: write it as a layer. If it only looks on, {looks_on}.",
        UserWarning,
        stacklevel=stacklevel,
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
