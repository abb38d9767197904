"""Functions that select some of the values: the largest, the middle one, those in order."""

from __future__ import annotations

import torch

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import DENSE, Origin
from picojoule.synops.watch.rules.moving import moved
from picojoule.synops.watch.rules.picking import placed_by_data
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import assembled, is_value, together, uniform


@rule("""max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d adaptive_max_pool1d_with_indices
    adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices fractional_max_pool2d fractional_max_pool3d
    fractional_max_pool2d_with_indices fractional_max_pool3d_with_indices max_unpool1d max_unpool2d max_unpool3d
    quantized_max_pool2d amax amin aminmax _aminmax cummax cummin _cummax_helper sort msort topk kthvalue median
    nanmedian mode unique _unique2 _unique unique_dim unique_consecutive unique_dim_consecutive""")  # fmt: skip
def selected(call: FunctionCall) -> Result:
    """Some of the values, in some order; all have to have one unit."""
    return uniform(call.origins.of(call.first))


@rule("max min maximum minimum fmax fmin")
def larger(call: FunctionCall) -> Result:
    """The larger or smaller of two values; or the largest of all, or along an axis."""
    operands = tensors(call.values)
    return together(call.origins, operands) if len(operands) == 2 else selected(call)


@rule("quantile nanquantile")
def at_rank(call: FunctionCall) -> Result:
    """A value of that rank; by default the values between two."""
    between = call.given("input q dim keepdim").get("interpolation", "linear")
    return DENSE if between in ("linear", "midpoint") else selected(call)


@rule("where")
def chosen(call: FunctionCall) -> Result:
    """Either of two values."""
    either = [x for x in call.values if is_value(x)]
    values = [x for x in either if getattr(x, "dtype", None) != torch.bool]
    return placed_by_data(call, assembled(call.origins, values))


@rule("__getitem__ index _unsafe_index index_select gather take take_along_dim masked_select")
def picked(call: FunctionCall) -> Result:
    """Values at places that indices or a mask name."""
    origin = moved(call)
    return placed_by_data(call, origin) if isinstance(origin, Origin) else origin
