"""Functions that keep values in another layout, or in fewer bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import DENSE, ZEROS, Origin
from picojoule.synops.watch.origins import stored_values
from picojoule.synops.watch.rules.picking import is_without_data, origin_of_picked
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import is_value, together, uniform


@rule("""to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc _to_sparse _to_sparse_csr
    _to_sparse_csc _to_sparse_bsr _to_sparse_bsc to_mkldnn to_dense _to_dense coalesce _coalesce _coalesced values _values
    dequantize _nested_tensor_from_mask _nested_tensor_from_mask_left_aligned _nested_view_from_jagged""")  # fmt: skip
def stored(call: FunctionCall) -> Result:
    """The same values; a unit of each place would have to be stored alike."""
    return uniform(call.origins.of(call.first))


@rule("sparse_mask _sparse_mask_projection _spdiags")
def stored_in_places(call: FunctionCall) -> Result:
    """The values of the first tensor, in the places that others name."""
    return _in_places(call, uniform(call.origins.of(call.first)), [call.first])


@rule("sparse_coo_tensor _sparse_coo_tensor_unsafe")
def by_coordinates(call: FunctionCall) -> Result:
    """Values in places that indices name; those in one place are added up."""
    return _filled(call, call.given("indices values size").get("values"))


@rule("_sparse_coo_tensor_with_dims_and_tensors")
def by_coordinates_of_some_axes(call: FunctionCall) -> Result:
    """The same, as the dispatcher has it."""
    return _filled(call, call.given("sparse_dim dense_dim size indices values")["values"])


@rule("""sparse_csr_tensor sparse_csc_tensor sparse_bsr_tensor sparse_bsc_tensor sparse_compressed_tensor _sparse_csr_tensor_unsafe
    _sparse_csc_tensor_unsafe _sparse_bsr_tensor_unsafe _sparse_bsc_tensor_unsafe _sparse_compressed_tensor_unsafe""")  # fmt: skip
def by_rows(call: FunctionCall) -> Result:
    """Values, row by row or column by column."""
    return _filled(call, call.given("compressed_indices plain_indices values size").get("values"))


@rule("_nested_tensor_from_tensor_list to_padded_tensor nested_to_padded_tensor")
def of_several_lengths(call: FunctionCall) -> Result:
    """Samples of several lengths in one tensor, and the number that fills them up."""
    numbers = [x for x in call.values if is_value(x) and not isinstance(x, Tensor)]
    return uniform(together(call.origins, [*tensors(call.values), *numbers]))


@rule("quantize_per_tensor quantize_per_tensor_dynamic fake_quantize_per_tensor_affine")
def quantised(call: FunctionCall) -> Result:
    """A spike is worth the multiple of the scale that is nearest to what it was worth."""
    origin = uniform(call.origins.of(call.first))
    if origin.kind != "spikes" or not isinstance(call.result, Tensor):
        return origin
    given = dict(zip(("input", "scale"), call.args, strict=False)) | call.kwargs
    scale = call.result.q_scale() if call.result.is_quantized else given["scale"]
    if isinstance(scale, Tensor) or isinstance(origin.unit, Tensor):
        return DENSE
    return _to_a_multiple(origin, origin.unit, scale)


def _filled(call: FunctionCall, values: Any) -> Origin:
    """The origin of a sparse tensor that holds these values: a tensor, a list, or None of an empty one."""
    if values is None:
        return ZEROS
    given = tensors([values])
    origin = uniform(together(call.origins, given)) if given else Origin("constant")
    return _in_places(call, origin, given or [torch.tensor(values)])


def _in_places(call: FunctionCall, origin: Origin, values: list[Tensor]) -> Origin:
    """Numbers and weights are data's where data say in which places they are."""
    if origin.kind != "constant" or is_without_data(call):
        return origin
    return origin_of_picked(call._replace(result=stored_values(call.result)), values)


def _to_a_multiple(origin: Origin, unit: float, scale: float) -> Origin:
    steps = round(unit / scale)
    return replace(origin, unit=steps * scale) if steps else DENSE
