"""Functions that write values into places of a tensor, or add them there."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, Origin
from picojoule.synops.watch.rules.overwritten import numbers_over, overwritten
from picojoule.synops.watch.rules.picking import placed_by_data
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.summing import of_unit_1
from picojoule.synops.watch.rules.units import assembled, is_whole, uniform, with_sign

_KEPT = ("sum", "amax", "amin", "add", None)


@rule("scatter scatter_add scatter_reduce")
def scattered(call: FunctionCall) -> Result:
    """Values written, added, or the larger of them; products of unit 1."""
    given = call.given("input dim index src reduce")
    written = given.get("src", given.get("value"))
    return _reduced(call, written, given.get("reduce"), ("prod", "multiply"))


@rule("index_reduce")
def reduced_by_index(call: FunctionCall) -> Result:
    """The same along one axis."""
    given = call.given("input dim index source reduce")
    return _reduced(call, given["source"], given["reduce"], ("prod",))


@rule("index_add")
def added_by_index(call: FunctionCall) -> Result:
    """Values added to places along an axis, a whole number of times."""
    alpha = call.kwargs.get("alpha", 1)
    if not is_whole(alpha):
        return DENSE
    origin = _written(call, call.given("input dim index source")["source"])
    return with_sign(origin, origin.signed or alpha < 0)


@rule("index_copy")
def copied_by_index(call: FunctionCall) -> Result:
    """Values written along an axis."""
    return _written(call, call.given("input dim index source")["source"])


@rule("index_put _unsafe_index_put _index_put_impl_ put masked_scatter")
def put(call: FunctionCall) -> Result:
    """Values written into or added to places: the third argument."""
    return _written(call, call.values[2])


@rule("_unsafe_masked_index _unsafe_masked_index_put_accumulate")
def put_by_mask(call: FunctionCall) -> Result:
    """Values read from places, or a number; values added to places: the fourth argument."""
    return _written(call, call.values[3])


@rule("select_scatter slice_scatter diagonal_scatter as_strided_scatter")
def put_into_view(call: FunctionCall) -> Result:
    """Values written into what a view would show: the second argument."""
    return _written(call, call.values[1])


@rule("masked_fill")
def filled_by_mask(call: FunctionCall) -> Result:
    """A number written where a mask is; it has to be a whole number of units."""
    number = call.given("input mask value")["value"]
    if call.result is not call.first:
        return _written(call, number)
    before = numbers_over(call.origins, call.first)
    return overwritten(call.origins, call.first, before, number, _written(call, number))


@rule("index_fill")
def filled_by_index(call: FunctionCall) -> Result:
    """A number written along an axis."""
    return _written(call, call.given("input dim index value")["value"])


@rule("fill_diagonal")
def filled_diagonal(call: FunctionCall) -> Result:
    """A number written into the diagonal."""
    return _written(call, call.given("input fill_value")["fill_value"])


@rule("copy set", anew=True)
def copied(call: FunctionCall) -> Result:
    """What the source is."""
    return call.origins.of(call.values[1])


@rule("__setitem__")
def assigned(call: FunctionCall) -> Result:
    """`x[places] = value`."""
    return _written(call, call.args[2])


def _written(call: FunctionCall, value: Any) -> Origin:
    """Values that change places have to have one unit; a number does not move."""
    origin = assembled(call.origins, [call.first, value])
    origin = uniform(origin) if isinstance(value, Tensor) else origin
    return placed_by_data(call, origin)


def _reduced(call: FunctionCall, written: Any, reduce: Any, product: tuple[str, ...]) -> Origin:
    origin = _written(call, written)
    if reduce in product:
        return of_unit_1(origin)
    return origin if reduce in _KEPT else DENSE
