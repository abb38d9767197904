"""What an average pooling makes of one spike: 1 / (values it divides by), which borders may change."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.synops.magnitudes import Unit


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
    stride = kernel if stride is None or stride == [] else _each(stride, axes)
    counts = torch.ones(
        (1, 1, *x.shape[-axes:]),
        dtype=torch.float64 if x.device.type != "mps" else None,
        device=x.device,
    )
    if axes == 1:  # one axis knows no divisor_override
        counts, kernel, stride, pad = counts.unsqueeze(-1), [*kernel, 1], [*stride, 1], [*pad, 0]
    pool: Any = F.avg_pool3d if len(kernel) == 3 else F.avg_pool2d
    means = pool(counts, kernel, stride, pad, ceil_mode, count_include_pad)
    sums = pool(counts, kernel, stride, pad, ceil_mode, count_include_pad, 1)
    shares: Tensor = (means / sums)[0, 0]
    return (shares.squeeze(-1) if axes == 1 else shares).to(x.dtype)


def adaptive(x: Tensor, output_size: Any) -> Unit:
    """Value of one spike behind F.adaptive_avg_pool1d, 2d or 3d: a number, or a map `*s`."""
    axes = (
        1 if isinstance(output_size, int) and x.ndim <= 3 else len(_list(output_size, x.ndim - 2))
    )
    targets = _list(output_size, axes)
    sizes = x.shape[-axes:]
    share = torch.ones((), device=x.device)
    even = 1.0
    for axis, (size, target) in enumerate(zip(sizes, targets, strict=True)):
        target = size if target is None else target
        lengths = [-(-(i + 1) * size // target) - i * size // target for i in range(target)]
        even = even / lengths[0] if even and len(set(lengths)) == 1 else 0.0
        shape = [-1 if i == axis else 1 for i in range(axes)]
        share = share / torch.tensor(lengths, dtype=x.dtype, device=x.device).reshape(shape)
    return even or share


def power(
    _x: Tensor,
    norm_type: float,
    _kernel: Any = None,
    _stride: Any = None,
    ceil_mode: bool = False,
    **_: Any,
) -> Unit | None:
    """Value of one spike behind F.lp_pool: 1 for sums over whole windows; else they are not spikes."""
    return 1.0 if norm_type == 1 and not ceil_mode else None


def _each(value: Any, axes: int) -> list[int]:
    return (
        [int(value)] * axes
        if isinstance(value, int)
        else [int(n) for n in value] * (axes // len(value))
    )


def _list(value: Any, axes: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * axes
