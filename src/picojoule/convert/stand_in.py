"""What torch.fx hands a forward pass in a tensor's place, and how it passes for one."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, fx
from torch.fx.proxy import Attribute

from picojoule.convert.commuting import TENSOR_ATTRIBUTES, sizes

_isinstance = isinstance


class StandIn(fx.Proxy):
    """A stand-in for what a call gives: for a tensor, as a rule."""


@contextmanager
def tensors_to_who_asks() -> Iterator[None]:
    """Meanwhile `isinstance(x, Tensor)` is true of a stand-in for a tensor, so that a forward pass takes the way of tensors.

    A `__class__` of the stand-in's own would reach PyTorch's C++, too, which then reads it as the memory of a tensor.
    """
    vars(builtins)["isinstance"] = _isinstance_of
    try:
        yield
    finally:
        vars(builtins)["isinstance"] = _isinstance


def _isinstance_of(value: object, kinds: Any, /) -> bool:
    if not _is_for_tensor(value):
        return _isinstance(value, kinds)
    try:
        return issubclass(Tensor, kinds) or issubclass(type(value), kinds)
    except TypeError:  # no class, but what has an answer of its own, as torch.FloatTensor
        return _isinstance(value, kinds)


def _is_for_tensor(value: Any) -> bool:
    if _isinstance(value, Attribute):
        return value.attr in TENSOR_ATTRIBUTES and _isinstance(value.root, StandIn)
    return _isinstance(value, StandIn) and value.node not in sizes(value.node.graph)
