"""Functions that add up the values of one tensor, or their magnitudes."""

from __future__ import annotations

import math
from typing import Any

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import DENSE, SPIKES, Origin
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import together, uniform, with_sign


@rule("sum _sparse_sum cumsum nansum sum_to_size trace fold col2im")
def summed(call: FunctionCall) -> Result:
    """Sums of spikes of one unit are spikes of that unit."""
    return uniform(call.origins.of(call.first))


@rule("diff")
def differences(call: FunctionCall) -> Result:
    """Each value less the one before it."""
    given = call.given("input n dim prepend append")
    ends = [given.get(name) for name in ("prepend", "append")]
    origin = uniform(together(call.origins, [call.first, *(x for x in ends if x is not None)]))
    return with_sign(origin, True)


@rule("norm vector_norm")
def norm(call: FunctionCall) -> Result:
    """The sum of magnitudes, their largest, or their number; other norms are no whole numbers."""
    given = call.given("input p")
    return _of_order(call, given.get("p", given.get("ord", 2)), (1, math.inf, -math.inf))


@rule("matrix_norm")
def matrix_norm(call: FunctionCall) -> Result:
    """The largest or smallest sum of magnitudes of a column or row."""
    return _of_order(call, call.given("input ord").get("ord", "fro"), (1, -1, math.inf, -math.inf))


@rule("dist _cdist_forward cdist")
def distance(call: FunctionCall) -> Result:
    """A norm of differences."""
    return _of_order(call, call.given("a b p").get("p", 2), (1, math.inf))


@rule("pdist _pdist_forward")
def distances(call: FunctionCall) -> Result:
    """The same between rows of one tensor."""
    return _of_order(call, call.given("input p").get("p", 2), (1, math.inf))


@rule("prod cumprod")
def multiplied_up(call: FunctionCall) -> Result:
    """Products of whole numbers are whole; of other units the number of factors would tell."""
    return of_unit_1(call.origins.of(call.first))


@rule("segment_reduce _segment_reduce")
def summed_by_segment(call: FunctionCall) -> Result:
    """Sums, largest or smallest values of parts of a tensor, and of a number."""
    given = call.given("data reduce")
    operands = [call.first, given.get("initial") or 0]
    kept = given["reduce"] in ("sum", "max", "min")
    return uniform(together(call.origins, operands)) if kept else DENSE


def of_unit_1(origin: Origin) -> Origin:
    """Spikes whose products are spikes again."""
    return origin if origin.kind != "spikes" or (origin.uniform() and origin.unit == 1) else DENSE


def _of_order(call: FunctionCall, order: Any, kept: tuple[float, ...]) -> Origin:
    if order == 0:
        return SPIKES
    if order not in kept:
        return DENSE
    return with_sign(uniform(together(call.origins, tensors(call.values))), False)
