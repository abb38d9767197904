"""Putting other layers in the place of those of one class."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from torch import nn

from picojoule.convert.held import replace_in_plain_python
from picojoule.convert.settled import copied

Mapper = Callable[[nn.Module], nn.Module]
Kind = type[nn.Module] | tuple[type[nn.Module], ...]


def replace_module(model: nn.Module, source_class: Kind, mapper_fn: Mapper) -> nn.Module:
    """A copy of the model with every layer of a class replaced by what a function makes of it.

    A layer object that stands in two places becomes two new layers. Where a module holds it in a plain list, tuple, dict
    or attribute too, the first of these goes there. Subclasses are layers of the class too. Hooks, modes and frozen parameters of all other layers stay.

    Args:
        model: any module; it stays as it is. If it is of the class itself, `mapper_fn(model)` is returned.
        source_class: the class to replace, or several.
        mapper_fn: makes the new layer of the old one.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        >>> replace_module(model, nn.ReLU, lambda relu: nn.Tanh())[1], model[1]
        (Tanh(), ReLU())
    """
    if isinstance(model, source_class):
        return mapper_fn(model)
    double = copied(model)
    replace_module_(double, source_class, mapper_fn)
    return double


def replace_module_(model: nn.Module, source_class: Kind, mapper_fn: Mapper) -> None:
    """:func:`replace_module` in place.

    Warns:
        UserWarning: the model itself is of the class and cannot be replaced from inside; nothing is done.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        >>> replace_module_(model, nn.ReLU, lambda relu: nn.Tanh())
        >>> model[1]
        Tanh()
    """
    if isinstance(model, source_class):
        warnings.warn(
            f"replace_module_: the model itself is a {type(model).__name__}, which cannot be replaced in place; "
            "nothing was changed. Use replace_module, which returns the new layer.",
            stacklevel=2,
        )
        return
    new: dict[nn.Module, nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, source_class):
                setattr(parent, name, mapper_fn(child))
                new.setdefault(child, parent._modules[name])  # type: ignore[arg-type]
    replace_in_plain_python(model, new)
