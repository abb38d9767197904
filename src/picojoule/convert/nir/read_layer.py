"""NIR nodes without state as layers."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from picojoule.convert.nir.metadata import unpacked
from picojoule.convert.nir.padded_pool import PaddedSumPool2d
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
            f"from_nir: {where} has type {kind}, which no layer here can stand for."
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
    axes, groups = weight.ndim - 2, int(np.asarray(node.groups).item())
    kind: type[nn.Conv1d | nn.Conv2d] = nn.Conv1d if weight.ndim == 3 else nn.Conv2d
    module = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        kernel_size=tuple(weight.shape[2:]),  # type: ignore[arg-type]
        stride=_sizes(node.stride, axes),
        padding=_sizes(node.padding, axes),
        dilation=_sizes(node.dilation, axes),
        groups=groups,
        bias=bias is not None,
    )
    _fill(module, node.weight, bias)
    return module


def _sum_pool(node: nir.NIRNode) -> nn.Module:
    ours = unpacked(node.metadata) or {"silent_gradient": False}
    pool = SumPool2d(
        _sizes(node.kernel_size, 2), _sizes(node.stride, 2), silent_gradient=ours["silent_gradient"]
    )
    return PaddedSumPool2d(pool, _sizes(node.padding, 2)) if np.any(node.padding) else pool


def _avg_pool(node: nir.NIRNode) -> nn.Module:
    return nn.AvgPool2d(*(_sizes(n, 2) for n in (node.kernel_size, node.stride, node.padding)))


def _flatten(node: nir.NIRNode) -> nn.Module:
    start, end = (int(np.asarray(n).item()) for n in (node.start_dim, node.end_dim))
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


def _sizes(value: Any, axes: int) -> Any:
    """A tuple of a number an axis, or a word such as "same"."""
    if isinstance(value, str | bytes):
        return value if isinstance(value, str) else value.decode()
    return tuple(int(n) for n in np.broadcast_to(np.asarray(value), axes))
