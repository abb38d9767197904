"""Names of counted calls: `module.path`, or `module.path/op#k` of a functional call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import torch
from torch import nn

_TORCH = str(Path(torch.__file__).parent)
_HERE = str(Path(__file__).parents[1])


class CallNames:
    """Numbers the places in the code from which functions are called, so that a loop is one place."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], dict[Hashable, int]] = {}

    def name(self, path: str, function: Callable[..., Any], parameters: frozenset[int]) -> str:
        """`path/op#k`, where k numbers the calls of this op in the module by place and weights."""
        op = op_name(function)
        numbers = self._places.setdefault((path, op), {})
        here = (*place(), parameters)
        number = numbers.setdefault(here, len(numbers))
        return f"{path}/{op}#{number}" if path else f"{op}#{number}"


def base_name(function: Any) -> str:
    """The name of a function, or of an operator of PyTorch without its overload."""
    if isinstance(function, torch._ops.OpOverload):
        function = function.overloadpacket
    return getattr(function, "__name__", "call")


def op_name(function: Callable[..., Any]) -> str:
    """The name of a function of PyTorch, the same for all its spellings."""
    return base_name(function).strip("_").removeprefix("linalg_")


def is_pytorchs_layer(module: nn.Module) -> bool:
    """Whether it is one of PyTorch's own layers, whose call goes by the layer's name."""
    return any(
        base.__module__.startswith("torch.nn.modules.") and base is not nn.Module
        for base in type(module).__mro__
    )


def place() -> tuple[Any, int]:
    """The code and instruction outside PyTorch and this package that made the call."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_TORCH, _HERE)):
            break
        frame = frame.f_back
    return frame.f_code, frame.f_lasti
