"""What PyTorch's functions do to spikes: a rule a function, beside its names.

A function without a rule makes constants of constants, and dense values of whatever else it is given.
To have spikes followed through another one, enter its name above the rule that says what it does.
"""

from __future__ import annotations

from picojoule.synops.watch.call import Call, Result, tensors
from picojoule.synops.watch.origin import DENSE, Origin, Origins, joined
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


def origin_of_result(call: Call) -> Result:
    """The origin of what a function gave: one for all its outputs, or one an output."""
    found = rule_of(call.function)
    if found is not None and makes_anew(found):
        return found(call)
    constants = _constants(call.origins, call)
    if constants is not None:
        return joined(constants)
    return DENSE if found is None else found(call)


def _constants(origins: Origins, call: Call) -> list[Origin] | None:
    """The origins of what is given, if all are constants."""
    found = []
    for x in tensors(call.values):
        origin = origins.constant(x)
        if origin is None:
            return None
        found.append(origin)
    return found or None
