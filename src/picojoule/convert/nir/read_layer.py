"""NIR nodes without state as layers."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from picojoule.convert.nir.metadata import unpacked
from picojoule.convert.nir.scale import Scale
from picojoule.layers import Repeat, SumPool2d


def layer(where: str, node: nir.NIRNode, *, folded: bool) -> nn.Module:
    """The layer for a node; `folded` where batch and time share an axis, otherwise it repeats over time.

    Raises:
        NotImplementedError: there is no layer for the node; the message names it and its type.
    """
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        return linear(node)
    if kind == "Scale":
        return Scale(np.asarray(node.scale))
    if kind not in READERS:
        raise NotImplementedError(
            f"from_nir: node {where!r} has type {kind}, which no layer here can stand for."
        )
    module: nn.Module = READERS[kind](node)
    return module if folded else Repeat(module)


def linear(node: nir.NIRNode) -> nn.Linear:
    """`nn.Linear` for NIR's Linear or Affine."""
    weight = _tensor(node.weight)
    bias = getattr(node, "bias", None)
    module = nn.Linear(weight.shape[-1], weight.shape[-2], bias=bias is not None)
    _fill(module, node.weight, bias)
    return module


def _convolution(node: nir.NIRNode) -> nn.Module:
    ours = unpacked(node.metadata)
    bias = None if ours is not None and not ours["bias"] else node.bias
    weight = _tensor(node.weight)
    groups = int(node.groups)
    kind: type[nn.Conv1d | nn.Conv2d] = nn.Conv1d if weight.ndim == 3 else nn.Conv2d
    module = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        kernel_size=tuple(weight.shape[2:]),  # type: ignore[arg-type]
        stride=_sizes(node.stride),
        padding=_sizes(node.padding),
        dilation=_sizes(node.dilation),
        groups=groups,
        bias=bias is not None,
    )
    _fill(module, node.weight, bias)
    return module


def _sum_pool(node: nir.NIRNode) -> nn.Module:
    ours = unpacked(node.metadata) or {"silent_gradient": False}
    pool = SumPool2d(
        _sizes(node.kernel_size), _sizes(node.stride), silent_gradient=ours["silent_gradient"]
    )
    if not np.any(node.padding):
        return pool
    height, width = np.broadcast_to(node.padding, 2).tolist()
    return nn.Sequential(nn.ZeroPad2d((width, width, height, height)), pool)


def _avg_pool(node: nir.NIRNode) -> nn.Module:
    return nn.AvgPool2d(_sizes(node.kernel_size), _sizes(node.stride), _sizes(node.padding))


def _flatten(node: nir.NIRNode) -> nn.Module:
    start, end = int(node.start_dim), int(node.end_dim)
    return nn.Flatten(start + 1 if start >= 0 else start, end + 1 if end >= 0 else end)


READERS = {
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "SumPool2d": _sum_pool,
    "AvgPool2d": _avg_pool,
    "Flatten": _flatten,
}


def _fill(module: nn.Linear | nn.Conv1d | nn.Conv2d, weight: Any, bias: Any) -> None:
    with torch.no_grad():
        module.weight.copy_(_tensor(weight))
        if module.bias is not None:
            module.bias.copy_(_tensor(bias))


def _tensor(value: Any) -> torch.Tensor:
    return torch.as_tensor(np.array(value))


def _sizes(value: Any) -> Any:
    """A number, a tuple of numbers, or a word such as "same"."""
    if isinstance(value, str | bytes):
        return value if isinstance(value, str) else value.decode()
    array = np.asarray(value)
    return int(array) if array.ndim == 0 else tuple(int(n) for n in array)
