"""Which rule a function of PyTorch has: each rule is entered with its names, directly above it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket
from torch.nn import functional as F

from picojoule.synops.watch.function_call import FunctionCall, Result

Rule = Callable[[FunctionCall], Result]

_SPACES = (
    torch,
    Tensor,
    F,
    torch._C._nn,
    torch._C._nested,  # type: ignore[attr-defined]
    torch._C._sparse,  # type: ignore[attr-defined]
    torch._VF,
    torch.special,
    torch.linalg,
    torch.fft,
)
_FAMILIES = ("linalg_", "special_", "fft_")  # how the dispatcher writes torch.linalg.NAME
_rules: dict[str, Rule] = {}
_anew: set[Rule] = set()


def rule(names: str, *, anew: bool = False) -> Callable[[Rule], Rule]:
    """Enter a rule for the functions of these names, wherever PyTorch has them.

    The forms that work in place (`name_`) and those that copy in place of a view (`name_copy`) go with them.

    Args:
        names: names, with spaces between; those of operators of the dispatcher too.
        anew: whether the result is what the rule says even if all that is given are constants;
            of the others that is a constant.
    """

    def enter(found: Rule) -> Rule:
        for name in names.split():
            if name in _rules:
                raise RuntimeError(f"two rules for {name!r}: {_rules[name]} and {found}")
            _rules[name] = found
        if anew:
            _anew.add(found)
        return found

    return enter


def rule_of(function: Callable[..., Any]) -> Rule | None:
    """The rule of a function, method, property or operator of PyTorch; None if it has none.

    Example:
        >>> rule_of(torch.add) is rule_of(Tensor.add_) is rule_of(torch.ops.aten.add.Tensor)
        True
        >>> rule_of(torch.exp) is None
        True
    """
    if isinstance(function, OpOverload | OpOverloadPacket):
        return _of_operator(function)
    return _by_function().get(function)


def makes_anew(found: Rule) -> bool:
    """Whether a rule's result does not depend on whether the function is given constants."""
    return found in _anew


@cache
def _of_operator(operator: OpOverload | OpOverloadPacket) -> Rule | None:
    packet = operator.overloadpacket if isinstance(operator, OpOverload) else operator
    space, _, name = packet._qualified_op_name.partition("::")
    if space != "aten":
        return None
    for family in _FAMILIES:
        name = name.removeprefix(family)
    spellings = (name, name.removesuffix("_"), name.removesuffix("_copy"))
    return next((_rules[spelling] for spelling in spellings if spelling in _rules), None)


@cache
def _by_function() -> dict[Callable[..., Any], Rule]:
    """The rule of each function, under all names it has in PyTorch."""
    table: dict[Callable[..., Any], Rule] = {}
    for name, found in _rules.items():
        for space in _SPACES:
            for spelling in (name, f"{name}_", f"{name}_copy"):
                function: Any = getattr(space, spelling, None)
                # of a property the mode sees the reading
                function = function.__get__ if hasattr(function, "__set__") else function
                if callable(function):
                    table[function] = found
    return table
