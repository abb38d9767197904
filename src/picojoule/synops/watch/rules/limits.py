"""Functions that rectify, and functions that limit values from below or above."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, Origin
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import together, with_sign


@rule("relu abs absolute __abs__")
def rectified(call: FunctionCall) -> Result:
    """Spikes that are no longer negative."""
    return with_sign(call.origins.of(call.first), False)


@rule("leaky_relu prelu _prelu_kernel rrelu rrelu_with_noise celu")
def positive_kept(call: FunctionCall) -> Result:
    """Positive values are kept, negative ones become others."""
    return _positive(call)


@rule("elu")
def elu(call: FunctionCall) -> Result:
    """The same; the operator of the dispatcher scales them, too."""
    scale = call.given("input alpha scale").get("scale", 1)
    return _positive(call).scaled(1 if isinstance(scale, bool) else scale)


@rule("clamp clip")
def clamped(call: FunctionCall) -> Result:
    """Limits on one side or both."""
    given = call.given("input min max")
    return _limited(call, given.get("min"), given.get("max"))


@rule("clamp_min")
def clamped_below(call: FunctionCall) -> Result:
    """A limit from below."""
    return _limited(call, call.given("input min")["min"], None)


@rule("clamp_max")
def clamped_above(call: FunctionCall) -> Result:
    """A limit from above."""
    return _limited(call, None, call.given("input max")["max"])


@rule("hardtanh")
def hard_tanh(call: FunctionCall) -> Result:
    """Limits that are -1 and 1 if none are given."""
    given = call.given("input min_val max_val")
    return _limited(call, given.get("min_val", -1), given.get("max_val", 1))


@rule("relu6")
def relu_to_6(call: FunctionCall) -> Result:
    """Limits of 0 and 6."""
    return _limited(call, 0, 6)


@rule("threshold _threshold")
def thresholded(call: FunctionCall) -> Result:
    """A value where x is not above the threshold."""
    return together(call.origins, [call.first, call.given("input threshold value")["value"]])


@rule("softshrink")
def shrunk(call: FunctionCall) -> Result:
    """Values come nearer to 0 by a number."""
    return together(call.origins, [call.first, call.given("input lambd").get("lambd", 0.5)])


@rule("nan_to_num")
def made_finite(call: FunctionCall) -> Result:
    """NaN and infinity are replaced by numbers; the largest one is taken for a multiple of every unit."""
    given = call.given("input nan posinf neginf")
    numbers = [given.get(name) or 0 for name in ("nan", "posinf", "neginf")]
    return together(call.origins, [call.first, *numbers])


def _positive(call: FunctionCall) -> Origin:
    origin = call.origins.of(call.first)
    return DENSE if origin.kind == "spikes" and origin.signed else origin


def _limited(call: FunctionCall, least: Any, most: Any) -> Origin:
    """Limits that are whole numbers of units leave spikes; those that are never reached may be any."""
    positive = isinstance(least, int | float) and least >= 0
    origin = call.origins.of(call.first)
    if origin.kind == "spikes" and not origin.signed and isinstance(least, int | float):
        least = max(least, 0)
    limits = [x for x in (least, most) if isinstance(x, Tensor) or (x and math.isfinite(x))]
    found = together(call.origins, [call.first, *limits])
    return with_sign(found, False) if positive else found
