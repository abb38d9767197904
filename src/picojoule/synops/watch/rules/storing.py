"""Functions that keep values in another layout, or in fewer bits."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, Origin
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import uniform


@rule("""to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc _to_sparse _to_sparse_csr
    _to_sparse_csc _to_sparse_bsr _to_sparse_bsc to_mkldnn to_dense _to_dense coalesce _coalesce _coalesced values _values
    dequantize""")  # fmt: skip
def stored(call: FunctionCall) -> Result:
    """The same values; a unit of each place would have to be stored alike."""
    return uniform(call.origins.of(call.first))


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


def _to_a_multiple(origin: Origin, unit: float, scale: float) -> Origin:
    steps = round(unit / scale)
    return replace(origin, unit=steps * scale) if steps else DENSE
