"""Averages, and what they make of one spike: 1 / (values they divide by), which borders may change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.synops.magnitudes import Unit
from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, Origin
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import uniform


@rule("mean nanmean")
def averaged(call: FunctionCall) -> Result:
    """A spike is worth 1 / (values that are averaged)."""
    x = call.first
    values = x.numel() // max(call.result.numel(), 1)
    return uniform(call.origins.of(x)).scaled(1 / max(values, 1))


@rule("avg_pool1d avg_pool2d avg_pool3d")
def pooled(call: FunctionCall) -> Result:
    """A spike is worth 1 / (values of a window), less at borders that are not counted."""
    given = call.given(
        "input kernel_size stride padding ceil_mode count_include_pad divisor_override"
    )
    x = call.first
    return _shared(call, average(x, **{n: v for n, v in given.items() if v is not x}))


@rule(
    """adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d"""
)
def adaptively_pooled(call: FunctionCall) -> Result:
    """The same with windows that differ by one value."""
    x = call.first
    return _shared(call, adaptive(x.shape, call.result.shape, x))


@rule("lp_pool1d lp_pool2d lp_pool3d")
def power_pooled(call: FunctionCall) -> Result:
    """A norm of 1 sums whole windows; others give no spikes."""
    given = call.given("input norm_type kernel_size stride ceil_mode")
    return _shared(call, 1.0 if given["norm_type"] == 1 and not given.get("ceil_mode") else None)


def _shared(call: FunctionCall, share: Unit | None) -> Origin:
    origin = uniform(call.origins.of(call.first))
    if origin.kind != "spikes":
        return origin
    if share is None:
        return DENSE
    return (
        replace(origin, unit=share * origin.unit)
        if isinstance(share, Tensor)
        else origin.scaled(share)
    )


def average(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Unit:
    """Value of one spike behind F.avg_pool1d, 2d or 3d: a number, or a map `*s`."""
    if divisor_override:
        return 1 / divisor_override
    axes = len(kernel_size) if not isinstance(kernel_size, int) else x.ndim - 2
    axes = max(axes, 1)
    kernel = _each(kernel_size, axes)
    pad = _each(padding, axes)
    if not ceil_mode and (count_include_pad or not any(pad)):
        return 1 / math.prod(kernel)
    strides = kernel if stride is None or stride == [] else _each(stride, axes)
    window = tuple(kernel), tuple(strides), tuple(pad)
    shares = _shares(tuple(x.shape[-axes:]), *window, ceil_mode, count_include_pad)
    return shares if isinstance(shares, float) else shares.to(x)


@lru_cache(maxsize=256)
def _shares(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    ceil_mode: bool,
    count_include_pad: bool,
) -> Unit:
    """What one value is worth in each mean: a number if it is the same in all, or a map `*s`."""
    flat = len(sizes) == 1  # one axis knows no divisor_override
    if flat:
        sizes, kernel, stride, pad = (*sizes, 1), (*kernel, 1), (*stride, 1), (*pad, 0)
    with torch.inference_mode(False), torch.no_grad():
        counts = torch.ones((1, 1, *sizes), dtype=torch.float64, device="cpu")
        pool: Any = F.avg_pool3d if len(kernel) == 3 else F.avg_pool2d
        means = pool(counts, kernel, stride, pad, ceil_mode, count_include_pad)
        sums = pool(counts, kernel, stride, pad, ceil_mode, count_include_pad, 1)
        shares: Tensor = (means / sums)[0, 0]
    worth = set(shares.flatten().tolist())
    if len(worth) == 1:
        return float(worth.pop())
    return shares.squeeze(-1) if flat else shares


def adaptive(sizes: Sequence[int], targets: Sequence[int], like: Tensor) -> Unit:
    """Value of one spike behind F.adaptive_avg_pool1d, 2d or 3d: a number, or a map with the axes of the result."""
    share = torch.ones((), device=like.device)
    even = 1.0
    for axis, (size, target) in enumerate(zip(sizes, targets, strict=True)):
        lengths = [-(-(i + 1) * size // target) - i * size // target for i in range(target)]
        even = even / lengths[0] if even and len(set(lengths)) == 1 else 0.0
        shape = [-1 if i == axis else 1 for i in range(len(sizes))]
        share = share / torch.tensor(lengths, dtype=like.dtype, device=like.device).reshape(shape)
    return even or share


def _each(value: Any, axes: int) -> list[int]:
    return (
        [int(value)] * axes
        if isinstance(value, int)
        else [int(n) for n in value] * (axes // len(value))
    )
