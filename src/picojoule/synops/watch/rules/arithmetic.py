"""Sums, differences, quotients and remainders of two values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.judged import can_be_read, cancelled
from picojoule.synops.watch.offsets import same_values
from picojoule.synops.watch.origin import DENSE, ZEROS, Origin, joined
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.rounding import rounded
from picojoule.synops.watch.rules.units import (
    all_whole,
    has_map,
    is_value,
    is_whole,
    together,
    with_sign,
)
from picojoule.synops.watch.thresholds import see_threshold


@rule("add __add__ __radd__ __iadd__")
def added(call: FunctionCall) -> Result:
    """Spikes of one unit stay spikes; whole numbers of units may be added."""
    return _followed(call, _sum(call), (1, 1))


@rule("sub subtract __sub__ __isub__")
def subtracted(call: FunctionCall) -> Result:
    """A difference, whose spikes may be negative."""
    see_threshold(call)
    return with_sign(_followed(call, _sum(call), (1, -1)), True)


@rule("rsub __rsub__")
def subtracted_from(call: FunctionCall) -> Result:
    """The same the other way round."""
    see_threshold(call)
    return with_sign(_followed(call, _sum(call), (-1, 1)), True)


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
    see_threshold(call, quotient=True)
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
    if first.kind == "spikes" and b.numel() == 1:
        return first.scaled(1 / b.reshape(()).to(call.result.dtype))
    return ZEROS if first.kind == "zeros" else DENSE


def _sum(call: FunctionCall) -> Origin:
    """The origin of a + alpha b; with a whole alpha, spikes stay whole numbers of units."""
    a, b = call.operands
    alpha = call.kwargs.get("alpha", 1)
    if not is_value(a) or not is_value(b):
        return DENSE
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        number = b * alpha
        return _of_one_sign(call, together(call.origins, [a, number]), a, number)
    return together(call.origins, [a, b]) if is_whole(alpha) else DENSE


def _of_one_sign(call: FunctionCall, origin: Origin, a: Any, b: Any) -> Origin:
    """Codes of -1 and 1 become spikes again, each of them worth 2: `sign(v) + 1`. Their values tell."""
    x, number = (a, b) if isinstance(a, Tensor) else (b, a)
    unit = origin.unit
    is_code = origin.kind == "spikes" and call.origins.of(x).signed
    if not is_code or isinstance(unit, Tensor) or abs(number) != unit:
        return origin
    if not can_be_read(call.result):
        return origin
    result = call.result.detach()
    doubled = all_whole(result, 2 * unit)
    if origin.whole is not None:  # of an input, which may be spikes that are all 1
        doubled &= origin.whole & (result != 0).any()
    if result.device.type == "cpu":
        unit = 2 * unit if bool(doubled) else unit
    elif origin.whole is None:
        unit = torch.where(doubled, 2 * unit, unit)
    return _also_judged(replace(origin, unit=unit), torch.ones_like(doubled))


def _followed(call: FunctionCall, origin: Origin, signs: tuple[int, int]) -> Origin:
    left = left_of_offsets(call, signs) if origin.kind == "dense" else None
    return origin if left is None else left


def left_of_offsets(call: FunctionCall, signs: tuple[int, int]) -> Origin | None:
    """What a sum of dense values leaves where it takes away what spikes were offset by; else None, and notes an offset.

    Which tensors they are decides that, not their origins alone.
    """
    a, b = call.operands
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    in_place = call.result is a or call.result is b
    if in_place or a.shape != b.shape or call.kwargs.get("alpha", 1) != 1:
        return None
    origins, (first, second) = call.origins, signs
    if first + second == 0 and same_values(a, b):
        return ZEROS
    kinds = set[str]()
    for x, its, other, sign in ((a, first, b, second), (b, second, a, first)):
        left = _left(call, x, other, its * sign)
        known = origins.unjudged(x) if left is None else None
        kinds.add("" if known is None else known.kind)
        if known is not None and known.kind == "spikes":
            origins.offsets.added(call.result, known.scaled(its), other, sign)
            if origins.offsets.is_difference(other):
                left = _also_judged(known, (other.detach() == 0).all())
        if left is not None:
            return with_sign(left.scaled(its), True) if -1 in signs else left
    if first + second == 0 and kinds == {"dense"}:
        origins.offsets.subtracted(call.result, a, b)
    return None


def _left(call: FunctionCall, x: Tensor, other: Tensor, sign: int) -> Origin | None:
    """What is left of an offset, by the values where they were computed twice."""
    found = call.origins.offsets.without(x, other, sign)
    if found is None:
        return None
    spikes, sure = found
    if sure:
        return spikes
    known = call.origins.unjudged(other)
    if known is None or known.kind != "dense" or has_map(spikes):
        return None
    has_cancelled = cancelled(
        call.result, other, spikes.unit, x.requires_grad != other.requires_grad
    )
    return _also_judged(spikes, has_cancelled)


def _also_judged(origin: Origin, whole: Tensor) -> Origin:
    """Spikes if that holds, too."""
    return replace(origin, whole=whole if origin.whole is None else origin.whole & whole)
