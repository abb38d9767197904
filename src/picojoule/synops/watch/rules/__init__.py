"""What PyTorch's functions do to spikes: a rule a function, beside its names.

A function without a rule makes constants of constants, and dense values of whatever else it is given.
To have spikes followed through another one, enter its name above the rule that says what it does.
"""

from __future__ import annotations

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import DENSE, Origin, joined
from picojoule.synops.watch.rules import (  # noqa: F401 - they enter their rules
    arithmetic,
    assembling,
    limits,
    making,
    moving,
    placing,
    pooling,
    products,
    rounding,
    selecting,
    storing,
    summing,
)
from picojoule.synops.watch.rules.registry import Rule, makes_anew, rule_of

__all__ = ["Rule", "origin_of_result", "rule_of"]


def origin_of_result(call: FunctionCall) -> Result:
    """The origin of what a function gave: one for all its outputs, or one an output."""
    found = rule_of(call.function)
    if found is None or not makes_anew(found):
        constants = _constants(call)
        if constants is not None:
            return joined(constants)
    return DENSE if found is None else found(call)


def _constants(call: FunctionCall) -> list[Origin] | None:
    """The origins of what is given, if all are constants."""
    if call.args and isinstance(call.args[0], Tensor) and not call.origins.constant(call.args[0]):
        return None  # as of most calls
    given = [call.origins.constant(x) for x in tensors(call.values)]
    constants = [origin for origin in given if origin is not None]
    return constants if given and len(constants) == len(given) else None
