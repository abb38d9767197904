"""Layers without state as NIR nodes."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from torch import nn

from picojoule.convert.nir.arrays import Array, array
from picojoule.convert.nir.metadata import packed
from picojoule.convert.nir.padded_pool import PaddedSumPool2d
from picojoule.convert.nir.refusal import not_carried
from picojoule.convert.nir.scale import Scale
from picojoule.convert.trace import TracedCall
from picojoule.layers import SumPool2d


def layer_node(where: str, call: TracedCall, leading: int, *, shifted: bool) -> nir.NIRNode:
    """The NIR node for a layer that sees `leading` axes of batch and time before `*n`.

    A Scale that is `shifted` has a shift that is written elsewhere.
    """
    module = call.module
    if isinstance(module, nn.Linear):
        return _linear(where, module, call, leading)
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return _convolution(where, module, call)
    if isinstance(module, SumPool2d | nn.AvgPool2d):
        return _pool(where, module)
    if isinstance(module, PaddedSumPool2d):
        return _pool(where, module.pool, padding=module.zeros)
    if isinstance(module, nn.Flatten):
        return _flatten(where, module, call, leading)
    if isinstance(module, Scale):
        if bool(module.shift.any()) and not shifted:
            raise not_carried(
                where, module, "a shift", "Put it into the bias of the Linear or Conv before it."
            )
        return nir.Scale(np.broadcast_to(array(module.scale), call.input_shape[leading:]).copy())
    advice = (
        "Fold it into the layer before it first."
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        else "Use one of the layers that picojoule.to_nir lists in its place."
    )
    raise NotImplementedError(
        f"to_nir: layer {where!r} ({type(module).__name__}) has no NIR node. {advice}"
    )


def _linear(where: str, module: nn.Linear, call: TracedCall, leading: int) -> nir.NIRNode:
    if leading > 2:
        raise not_carried(
            where,
            module,
            f"input of shape {call.input_shape}",
            "Flatten the neuron axes first: NIR's Linear takes vectors.",
        )
    if module.bias is None:
        return nir.Linear(weight=array(module.weight))
    return nir.Affine(weight=array(module.weight), bias=array(module.bias))


def _convolution(where: str, module: nn.Conv1d | nn.Conv2d, call: TracedCall) -> nir.NIRNode:
    if module.padding_mode != "zeros":
        raise not_carried(
            where, module, f"padding_mode={module.padding_mode!r}", "Use padding_mode='zeros'."
        )
    weight = array(module.weight)
    bias = np.zeros(len(weight), weight.dtype) if module.bias is None else array(module.bias)
    common: dict[str, Any] = {
        "weight": weight,
        "bias": bias,
        "groups": module.groups,
        "metadata": packed(bias=module.bias is not None),
    }
    padding = _padding(module)
    if isinstance(module, nn.Conv1d):
        return nir.Conv1d(
            input_shape=call.input_shape[-1],
            stride=module.stride[0],
            padding=padding if isinstance(padding, str) else padding[0],
            dilation=module.dilation[0],
            **common,
        )
    return nir.Conv2d(
        input_shape=call.input_shape[-2:],
        stride=tuple(module.stride),
        padding=padding,
        dilation=tuple(module.dilation),
        **common,
    )


def _padding(module: nn.Conv1d | nn.Conv2d) -> tuple[int, ...] | str:
    """Rows and columns of zeros; "same" where it is one more on one side than on the other."""
    if not isinstance(module.padding, str):
        return tuple(module.padding)
    if module.padding == "valid":
        return (0,) * len(module.kernel_size)
    total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    return "same" if any(n % 2 for n in total) else tuple(n // 2 for n in total)


def _pool(
    where: str, module: SumPool2d | nn.AvgPool2d, padding: tuple[int, int] = (0, 0)
) -> nir.NIRNode:
    if module.ceil_mode:
        raise not_carried(where, module, "ceil_mode=True", "Use ceil_mode=False.")
    window = {"kernel_size": _pair(module.kernel_size), "stride": _pair(module.stride)}
    if isinstance(module, SumPool2d):
        metadata = packed(silent_gradient=module.silent_gradient)
        return nir.SumPool2d(**window, padding=np.array(padding), metadata=metadata)
    zeros = _pair(module.padding)
    if zeros.any() and not module.count_include_pad:
        raise not_carried(where, module, "count_include_pad=False", "Use padding=0.")
    if module.divisor_override is not None:
        raise not_carried(where, module, "divisor_override", "Put the factor into the weights.")
    return nir.AvgPool2d(**window, padding=zeros)


def _flatten(where: str, module: nn.Flatten, call: TracedCall, leading: int) -> nir.NIRNode:
    ndim = len(call.input_shape)
    start, end = module.start_dim % ndim - leading, module.end_dim % ndim - leading
    if start < 0:
        raise not_carried(
            where,
            module,
            f"start_dim={module.start_dim}",
            f"It folds the axes of batch and time; use start_dim={leading} or FlattenTime.",
        )
    return nir.Flatten(
        input_type={"input": np.array(call.input_shape[leading:])},
        start_dim=start,
        end_dim=-1 if end == ndim - leading - 1 else end,
    )


def _pair(value: Any) -> Array:
    return np.array(value if isinstance(value, tuple | list) else (value, value))
