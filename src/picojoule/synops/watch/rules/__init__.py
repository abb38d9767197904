"""What PyTorch's functions do to spikes: a rule a function, beside its names.

A function without a rule makes constants of constants, and dense values of whatever else it is given.
To have spikes followed through another one, enter its name above the rule that says what it does.
"""

from __future__ import annotations

from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket

from picojoule.synops.formulas.kernels import is_pytorchs_own
from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import (
    DENSE,
    DENSE_INTEGERS,
    NUMBERS,
    WHOLE_NUMBERS,
    WITHOUT_DATA,
    Origin,
    joined,
)
from picojoule.synops.watch.origins import by_values
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
from picojoule.synops.watch.rules.changing import with_changed_weights
from picojoule.synops.watch.rules.picking import is_without_data
from picojoule.synops.watch.rules.registry import Rule, makes_anew, rule_of

__all__ = ["Rule", "origin_of_result", "rule_of"]
_CASTS = frozenset(["byte", "char", "int", "long", "short"])


def origin_of_result(call: FunctionCall) -> Result:
    """The origin of what a function gave: one for all its outputs, or one an output."""
    found = rule_of(call.function)
    if found is None or not makes_anew(found):
        constants = _constants(call)
        if constants is not None:
            return joined(constants)
    if found is None and _casts_dense_integers(call):
        return DENSE_INTEGERS
    if found is None:
        return _of_numbers_alone(call) or (_by_values(call) if _is_foreign(call) else DENSE)
    origin = found(call)
    if makes_anew(found) or not isinstance(origin, Origin):
        return origin
    return _by_whom(call, found, origin)


def _by_whom(call: FunctionCall, found: Rule, origin: Origin) -> Origin:
    """What a rule gave, as that of data, or of numbers, chance and weights alone, which stay what they are."""
    given = tensors(call.values)
    if origin.kind == "zeros" or not given:
        return origin
    if not is_without_data(call):
        of_data = origin.of_data() if origin.source in WITHOUT_DATA else origin
        return with_changed_weights(call, found, of_data)
    is_whole = isinstance(call.result, Tensor) and not call.result.is_floating_point()
    as_spikes = origin.kind == "spikes" and origin.source not in WITHOUT_DATA and not is_whole
    if as_spikes and not any(map(call.origins.weights_in, given)):
        return origin
    return call.origins.without_data(given, origin)


def _of_numbers_alone(call: FunctionCall) -> Origin | None:
    """What a function without a rule makes of masks, noise and weights, such as `~mask`; None if there are data."""
    given = tensors(call.values)
    if not isinstance(call.result, Tensor) or not given or not is_without_data(call):
        return None
    real = call.result.is_floating_point() or call.result.is_complex()
    return call.origins.without_data(given, NUMBERS if real else WHOLE_NUMBERS)


def _casts_dense_integers(call: FunctionCall) -> bool:
    """Whether it is a cast to whole numbers, which leaves what the caller gave as it is; other functions may make spikes of it."""
    cast = getattr(call.function, "__name__", "") in _CASTS
    return cast and call.origins.unjudged(call.first) is DENSE_INTEGERS


def _is_foreign(call: FunctionCall) -> bool:
    """Whether it is an operator of somebody else's, which may make spikes; PyTorch's own without a rule make none."""
    is_operator = isinstance(call.function, OpOverload | OpOverloadPacket)
    return is_operator and not is_pytorchs_own(call.function)


def _by_values(call: FunctionCall) -> Result:
    made = tensors([call.result])
    real = [by_values(x) if x.is_floating_point() else DENSE for x in made]
    return real[0] if isinstance(call.result, Tensor) else real


def _constants(call: FunctionCall) -> list[Origin] | None:
    """The origins of what is given, if all are constants."""
    if call.args and isinstance(call.args[0], Tensor) and not call.origins.constant(call.args[0]):
        return None  # as of most calls
    given = [call.origins.constant(x) for x in tensors(call.values)]
    constants = [origin for origin in given if origin is not None]
    return constants if given and len(constants) == len(given) else None
