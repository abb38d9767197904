"""Functions that keep each value, or only move values to other places."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result, tensors
from picojoule.synops.watch.origin import DENSE
from picojoule.synops.watch.rules.pooling import adaptively_pooled
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import has_map, together, uniform, unit_map


@rule("""clone detach contiguous requires_grad to type type_as float double half bfloat16 _to_copy data cpu cuda
    pin_memory alias lift_fresh lift positive __pos__ real conj conj_physical _conj resolve_conj
    resolve_neg __deepcopy__ hardshrink _autocast_to_full_precision
    _autocast_to_reduced_precision""")  # fmt: skip
def kept(call: FunctionCall) -> Result:
    """Each value stays where it is."""
    return call.origins.of(call.first)


@rule("""reshape _reshape_alias _reshape_copy view_as reshape_as flatten unflatten ravel squeeze unsqueeze expand expand_as
    broadcast_to repeat tile repeat_interleave permute transpose swapaxes swapdims movedim moveaxis t adjoint T mT H mH
    matrix_H numpy_T unbind split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk tensor_split
    hsplit vsplit dsplit select narrow slice flip fliplr flipud roll rot90 diagonal diag diag_embed diagflat tril triu unfold
    im2col fftshift ifftshift pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle _unsafe_view
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d""")  # fmt: skip
def moved(call: FunctionCall) -> Result:
    """Values go elsewhere, some several times, some not at all; where none goes are zeros."""
    x = call.first
    origin = call.origins.of(x)
    if not has_map(origin):
        return origin
    if call.result is x:  # whose shape has changed
        return DENSE
    units = call.again(unit_map(x, origin))
    if isinstance(units, Tensor):
        return replace(origin, unit=units)
    return [replace(origin, unit=unit) for unit in units]


@rule("view")
def viewed(call: FunctionCall) -> Result:
    """`x.view(shape)` moves values; `x.view(dtype)` reads their bits as something else."""
    return moved(call) if call.result.dtype == call.first.dtype else DENSE


@rule("as_strided _pack_padded_sequence combinations")
def moved_from_anywhere(call: FunctionCall) -> Result:
    """Values go elsewhere, in a way that units of each place cannot follow."""
    return uniform(call.origins.of(call.first))


@rule("broadcast_tensors atleast_1d atleast_2d atleast_3d meshgrid")
def each_moved(call: FunctionCall) -> Result:
    """Each of several tensors is moved for itself."""
    return [uniform(call.origins.of(x)) for x in tensors(call.values)]


@rule("pad constant_pad_nd _pad_circular")
def padded(call: FunctionCall) -> Result:
    """Borders are copies of what is inside, or filled with one number."""
    given = call.given("input pad mode value")
    mode, value = given.get("mode", "constant"), given.get("value")
    if not isinstance(mode, str):  # the operator for constant borders has no mode
        mode, value = "constant", mode
    if mode == "constant" and value:
        return together(call.origins, [call.first, value])
    return moved(call)


@rule("_pad_packed_sequence")
def unpacked(call: FunctionCall) -> Result:
    """A packed sequence becomes a padded one."""
    filling = call.given("data batch_sizes batch_first padding_value").get("padding_value", 0.0)
    return uniform(together(call.origins, [call.first, filling]))


@rule("grid_sample grid_sampler grid_sampler_2d grid_sampler_3d")
def sampled(call: FunctionCall) -> Result:
    """The nearest value is moved; between values there are no spikes."""
    mode = call.given("input grid mode").get("mode", "bilinear")
    return uniform(call.origins.of(call.first)) if mode in ("nearest", 1) else DENSE


@rule("""interpolate upsample upsample_nearest upsample_nearest1d upsample_nearest2d upsample_nearest3d
    _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d""")  # fmt: skip
def resized(call: FunctionCall) -> Result:
    """The nearest value is moved; `mode="area"` is a pooling, other modes make values between."""
    given = call.given("input size scale_factor mode")
    mode = given.get("mode", "nearest")
    if mode == "area":
        return adaptively_pooled(call)
    by_operator = not isinstance(mode, str)
    return moved(call) if by_operator or mode in ("nearest", "nearest-exact") else DENSE


@rule("native_dropout dropout dropout1d dropout2d dropout3d feature_dropout")
def dropped(call: FunctionCall) -> Result:
    """What is left of the spikes is scaled up."""
    given = call.given("input p training")
    origin = call.origins.of(call.first)
    training, p = given.get("training", given.get("train", True)), given.get("p", 0.5)
    if p == 0 or (not training and training is not None):  # the operator takes None for True
        return origin
    left = origin.scaled(0 if p == 1 else 1 / (1 - p))
    return replace(left, source="chance") if left.source == "numbers" else left


@rule("alpha_dropout feature_alpha_dropout")
def replaced_at_random(call: FunctionCall) -> Result:
    """What is dropped has a negative value, in training."""
    given = call.given("input p training")
    training = given.get("training", given.get("train", False))
    return DENSE if training and given.get("p", 0.5) else call.origins.of(call.first)
