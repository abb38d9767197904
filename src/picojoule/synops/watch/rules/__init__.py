"""What PyTorch's functions do to spikes: a rule a function, beside its names.

A function without a rule makes constants of constants, and dense values of whatever else it is given.
To have spikes followed through another one, enter its name above the rule that says what it does.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import DENSE, NOISE, WHOLE_NUMBERS, Origin, joined
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
    if found is None:
        return _of_numbers_alone(call) or DENSE
    origin = found(call)
    if makes_anew(found) or not isinstance(origin, Origin) or origin.source != "numbers":
        return origin
    return origin if _is_without_data(call) else replace(origin, source="made")


def _of_numbers_alone(call: FunctionCall) -> Origin | None:
    """What a function without a rule makes of masks and noise, such as `~mask`; None if there are data."""
    if (
        not isinstance(call.result, Tensor)
        or not tensors(call.values)
        or not _is_without_data(call)
    ):
        return None
    real = call.result.is_floating_point() or call.result.is_complex()
    return NOISE if real else WHOLE_NUMBERS


def _is_without_data(call: FunctionCall) -> bool:
    origins = call.origins
    return all(origins.is_of_numbers(x) or origins.constant(x) for x in tensors(call.values))


def _constants(call: FunctionCall) -> list[Origin] | None:
    """The origins of what is given, if all are constants."""
    if call.args and isinstance(call.args[0], Tensor) and not call.origins.constant(call.args[0]):
        return None  # as of most calls
    given = [call.origins.constant(x) for x in tensors(call.values)]
    constants = [origin for origin in given if origin is not None]
    return constants if given and len(constants) == len(given) else None
