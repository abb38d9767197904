"""Sums, differences, quotients and remainders of two values."""

from __future__ import annotations

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, ZEROS, Origin, joined
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.rounding import rounded
from picojoule.synops.watch.rules.units import is_value, is_whole, together, with_sign


@rule("add __add__ __radd__ __iadd__")
def added(call: FunctionCall) -> Result:
    """Spikes of one unit stay spikes; whole numbers of units may be added."""
    return _sum(call)


@rule("sub subtract __sub__ __rsub__ rsub __isub__")
def subtracted(call: FunctionCall) -> Result:
    """A difference, whose spikes may be negative."""
    return with_sign(_sum(call), True)


@rule("neg negative __neg__")
def negated(call: FunctionCall) -> Result:
    """Spikes of the other sign."""
    return call.origins.of(call.first).scaled(-1)


@rule("copysign")
def signed_as(call: FunctionCall) -> Result:
    """Spikes with the signs of something else."""
    x = call.values[0]
    return with_sign(call.origins.of(x), True) if isinstance(x, Tensor) else DENSE


@rule("div divide true_divide __div__ __truediv__ __itruediv__")
def divided(call: FunctionCall) -> Result:
    """A quotient: a divisor that is a number, or a tensor of one value, scales the unit."""
    if call.kwargs.get("rounding_mode") is not None:
        return rounded(call)
    a, b = call.operands
    if not isinstance(a, Tensor) or not is_value(b):
        return DENSE
    if not isinstance(b, Tensor):
        return call.origins.of(a).scaled(1 / b) if b != 0 else DENSE
    first, second = call.origins.of(a), call.origins.of(b)
    if first.kind == second.kind == "constant":
        return joined([first, second])
    if first.kind == "spikes" and b.numel() == 1 and second.kind != "spikes":
        return first.scaled(1 / b.reshape(()))
    return ZEROS if first.kind == "zeros" else DENSE


def _sum(call: FunctionCall) -> Origin:
    """The origin of a + alpha b; with a whole alpha, spikes stay whole numbers of units."""
    a, b = call.operands
    alpha = call.kwargs.get("alpha", 1)
    if not is_value(a) or not is_value(b):
        return DENSE
    if not isinstance(b, Tensor):
        return together(call.origins, [a, b * alpha])
    return together(call.origins, [a, b]) if is_whole(alpha) else DENSE
