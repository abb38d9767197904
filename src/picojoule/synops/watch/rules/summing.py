"""Functions that add up the values of one tensor, or their magnitudes."""

from __future__ import annotations

from dataclasses import replace

from picojoule.synops.watch.call import Call, Result
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, Origin
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import together, uniform


@rule("sum cumsum nansum sum_to_size trace fold col2im")
def summed(call: Call) -> Result:
    """Sums of spikes of one unit are spikes of that unit."""
    return uniform(call.origins.of(call.first))


@rule("diff")
def differences(call: Call) -> Result:
    """Each value less the one before it."""
    given = call.given("input n dim prepend append")
    ends = [given.get(name) for name in ("prepend", "append")]
    origin = together(call.origins, [call.first, *(x for x in ends if x is not None)])
    return replace(origin, signed=True) if origin.kind == "spikes" else origin


@rule("norm vector_norm matrix_norm")
def norm(call: Call) -> Result:
    """The sum of magnitudes, their largest, or their number; other norms are no whole numbers."""
    given = call.given("input p")
    p = given.get("p", given.get("ord", 2))
    origin = uniform(call.origins.of(call.first))
    if p == 0:
        return replace(SIGNED_SPIKES, signed=False)
    if p in (1, float("inf"), float("-inf")):
        return replace(origin, signed=False) if origin.kind == "spikes" else origin
    return DENSE


@rule("prod cumprod")
def multiplied_up(call: Call) -> Result:
    """Products of whole numbers are whole; of other units the number of factors would tell."""
    return of_unit_1(call.origins.of(call.first))


@rule("segment_reduce _segment_reduce")
def summed_by_segment(call: Call) -> Result:
    """Sums, largest or smallest values of parts of a tensor."""
    reduce = call.given("data reduce")["reduce"]
    return summed(call) if reduce in ("sum", "max", "min") else DENSE


def of_unit_1(origin: Origin) -> Origin:
    """Spikes whose products are spikes again."""
    return origin if origin.kind != "spikes" or (origin.uniform() and origin.unit == 1) else DENSE
