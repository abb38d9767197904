"""What PyTorch's functions do to spikes: one entry a function, by its name.

A function without an entry makes dense values of whatever it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.synops.watch import arithmetic, pooling
from picojoule.synops.watch.call import Call, Result, Rule, tensors
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, ZEROS, Origin, joined

_NAMES = {
    "moved": """reshape view view_as reshape_as flatten unflatten ravel squeeze squeeze_ unsqueeze unsqueeze_
        expand expand_as repeat tile repeat_interleave permute transpose transpose_ swapaxes swapdims movedim
        moveaxis t t_ adjoint unbind split split_with_sizes chunk tensor_split hsplit vsplit dsplit select narrow
        __getitem__ index_select gather take take_along_dim masked_select flip fliplr flipud roll rot90
        broadcast_to diagonal tril triu unfold as_strided contiguous clone detach detach_ requires_grad_ to
        float double half bfloat16 type type_as cpu cuda atleast_1d atleast_2d atleast_3d pixel_shuffle
        pixel_unshuffle channel_shuffle pin_memory resolve_conj positive __deepcopy__ alias view_copy""",
    "largest": """max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices
        max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices
        max_unpool1d max_unpool2d max_unpool3d amax amin sort topk cummax cummin""",
    "summed": "sum cumsum nansum",
    "averaged": "mean nanmean",
    "assembled": "cat concat concatenate stack hstack vstack dstack row_stack column_stack",
    "added": "add add_ __add__ __radd__ __iadd__ maximum minimum fmax fmin max min",
    "chosen": "where",
    "subtracted": "sub sub_ subtract __sub__ __rsub__ rsub __isub__",
    "multiplied": "mul mul_ multiply __mul__ __rmul__ __imul__ logical_and",
    "divided": "div div_ divide true_divide __div__ __truediv__ __itruediv__",
    "rectified": "relu relu_ abs abs_ absolute __abs__",
    "negated": "neg neg_ negative __neg__",
    "clamped": "clamp clamp_ clip clip_ clamp_min clamp_max",
    "placed": """scatter scatter_ scatter_add scatter_add_ index_add index_add_ index_copy index_copy_ index_put
        index_put_ masked_scatter masked_scatter_ select_scatter slice_scatter""",
    "filled": "masked_fill masked_fill_",
    "copied": "copy_",
    "whole": """round round_ floor floor_ ceil ceil_ trunc fix sign sign_ sgn heaviside bernoulli bernoulli_ poisson
        ones ones_like new_ones eye one_hot randint randint_like""",
    "zeros": "zeros zeros_like new_zeros empty empty_like new_empty zero_",
    "dropped": "dropout dropout_ dropout1d dropout2d dropout3d feature_dropout",
    "padded": "pad",
    "resized": "interpolate upsample upsample_nearest",
    "pooled": "avg_pool1d avg_pool2d avg_pool3d",
    "adaptively_pooled": "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    "power_pooled": "lp_pool1d lp_pool2d lp_pool3d",
}
_VIEWS = ("T", "mT", "H", "mH", "data")


@cache
def rules() -> dict[Callable[..., Any], Rule]:
    """The rule of each function, under all names it has in PyTorch."""
    spaces = (torch, Tensor, F, torch._C._nn, torch._VF)
    table: dict[Callable[..., Any], Rule] = {}
    for rule, names in _NAMES.items():
        found = globals().get(f"_{rule}") or getattr(arithmetic, rule)
        for name in names.split():
            for space in spaces:
                function = getattr(space, name, None)
                if function is not None:
                    table[function] = found
    for name in _VIEWS:
        table[getattr(Tensor, name).__get__] = _moved
    return table


def origin_of_result(call: Call) -> Result:
    """The origin of what a function gave: one for all its outputs, or one an output."""
    rule = rules().get(call.function)
    if rule is not None:
        return rule(call)
    given = [call.origins.constant(x) for x in tensors(call.values)]
    constants = [origin for origin in given if origin is not None]
    return joined(constants) if given and len(constants) == len(given) else DENSE


def _moved(call: Call) -> Result:
    x = call.first
    origin = call.origins.of(x)
    if origin.kind != "spikes" or not isinstance(origin.unit, Tensor):
        return origin
    if origin.unit.ndim == 0 or not call.args or call.args[0] is not x:
        return origin if origin.unit.ndim == 0 else DENSE
    units = call.function(origin.unit.expand(x.shape), *call.args[1:], **call.kwargs)
    if isinstance(units, Tensor):
        return replace(origin, unit=units)
    return [replace(origin, unit=unit) for unit in units]


def _largest(call: Call) -> Result:
    return _uniform(call.origins.of(call.first))


_summed = _largest


def _averaged(call: Call) -> Result:
    x = call.first
    values = x.numel() // max(call.result.numel(), 1)
    return _uniform(call.origins.of(x)).scaled(1 / max(values, 1))


def _assembled(call: Call) -> Result:
    pieces = list(call.args[0] if call.args else call.kwargs["tensors"])
    parts = [call.origins.of(x) for x in pieces]
    origin = joined(parts)
    spiking = [part for part in parts if part.kind == "spikes"]
    if origin.kind != "dense" or len(spiking) < len(parts) or not call.args:
        return origin
    units = call.function(
        [
            torch.as_tensor(p.unit, dtype=x.dtype, device=x.device).expand(x.shape)
            for p, x in zip(parts, pieces, strict=True)
        ],
        *call.args[1:],
        **call.kwargs,
    )
    return replace(joined(parts, product=True), unit=units)


def _whole(call: Call) -> Result:
    return DENSE if call.kwargs.get("decimals") else SIGNED_SPIKES


def _zeros(_: Call) -> Result:
    return ZEROS


def _dropped(call: Call) -> Result:
    given = dict(zip(("input", "p", "training"), call.args, strict=False)) | call.kwargs
    origin = call.origins.of(given["input"])
    training, p = given.get("training", given.get("train", True)), given.get("p", 0.5)
    if not training or p == 0:
        return origin
    return ZEROS if p == 1 else origin.scaled(1 / (1 - p))


def _padded(call: Call) -> Result:
    given = dict(zip(("input", "pad", "mode", "value"), call.args, strict=False)) | call.kwargs
    if given.get("mode", "constant") == "constant" and given.get("value"):
        return arithmetic.together(call.origins, [given["input"], given["value"]])
    return _moved(call)


def _resized(call: Call) -> Result:
    given = (
        dict(zip(("input", "size", "scale_factor", "mode"), call.args, strict=False)) | call.kwargs
    )
    nearest = given.get("mode", "nearest") in ("nearest", "nearest-exact")
    return _moved(call) if nearest else DENSE


def _windowed(units: Any, call: Call) -> Result:
    x = call.first
    origin = _uniform(call.origins.of(x))
    if origin.kind != "spikes":
        return origin
    share = units(x, *call.args[1:], **{name: v for name, v in call.kwargs.items() if v is not x})
    if share is None:
        return DENSE
    if isinstance(share, Tensor):
        return replace(origin, unit=share * origin.unit)
    return origin.scaled(share)


_pooled = partial(_windowed, pooling.average)
_adaptively_pooled = partial(_windowed, pooling.adaptive)
_power_pooled = partial(_windowed, pooling.power)


def _uniform(origin: Origin) -> Origin:
    """Spikes of different units that meet in one value are no longer spikes."""
    return origin if origin.kind != "spikes" or origin.uniform() or _scalar(origin) else DENSE


def _scalar(origin: Origin) -> bool:
    return isinstance(origin.unit, Tensor) and origin.unit.ndim == 0
