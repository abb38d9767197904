"""Functions that make whole numbers of any values, and what they leave over."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import all_whole, is_value, together


@rule("round floor ceil trunc fix sign sgn floor_divide __floordiv__ __rfloordiv__ __ifloordiv__")
def rounded(call: FunctionCall) -> Result:
    """Whole numbers, whatever was given; with decimals they are not."""
    return DENSE if (call.kwargs.get("decimals") or 0) > 0 else SIGNED_SPIKES


@rule("heaviside")
def step(call: FunctionCall) -> Result:
    """0, 1, and at 0 the value that was given, which is looked at."""
    at_zero = call.values[1]
    whole = all_whole(at_zero) if isinstance(at_zero, Tensor) else None
    return replace(SIGNED_SPIKES, whole=whole)


@rule("remainder fmod __mod__ __rmod__ __imod__")
def remaindered(call: FunctionCall) -> Result:
    """What is left of whole numbers of units is whole numbers of units."""
    return together(call.origins, [x for x in call.values if is_value(x)])


@rule("frac")
def fraction(call: FunctionCall) -> Result:
    """What is left of a division by 1."""
    return together(call.origins, [call.first, 1])
