"""Other layers in the place of those that a model holds, as submodules or in plain Python."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn

Instead = Mapping[nn.Module, nn.Module]
_OF_TORCH = frozenset(vars(nn.Module()))


def replace_everywhere(model: nn.Module, instead: Instead) -> None:
    """Put layers in the place of others under all their names, and in plain lists, tuples, dicts and attributes.

    Args:
        model: is changed.
        instead: the new layer by the old one.
    """
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child is not None and child in instead:
                setattr(module, name, instead[child])
    replace_in_plain_python(model, instead)


def replace_in_plain_python(model: nn.Module, instead: Instead) -> None:
    """Put layers in the place of others wherever a module holds them without having them as submodules.

    A list that is affected becomes another one, for somebody else may hold the old one.
    """
    for module in list(model.modules()):
        for name, value in list(vars(module).items()):
            if name not in _OF_TORCH and (new := _with_others(value, instead)) is not value:
                vars(module)[name] = new


def _with_others(value: Any, instead: Instead, within: tuple[Any, ...] = ()) -> Any:
    """The value itself, or a copy with other layers if it holds some that are replaced."""
    if isinstance(value, nn.Module):
        return instead.get(value, value)
    if not isinstance(value, list | tuple | dict) or any(value is outer for outer in within):
        return value
    keys = list(value) if isinstance(value, dict) else range(len(value))
    held = {key: value[key] for key in keys}
    new = {key: _with_others(each, instead, (*within, value)) for key, each in held.items()}
    if all(new[key] is held[key] for key in keys):
        return value
    if isinstance(value, tuple):
        return type(value)(*new.values()) if hasattr(value, "_fields") else tuple(new.values())
    double: Any = copy.copy(value)
    for key, each in new.items():
        double[key] = each
    return double
