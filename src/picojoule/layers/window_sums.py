"""Sums over windows of the last two axes, and the way back, for which the input is not kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# values of a window that are quicker added up one by one than by PyTorch's pooling on a CPU
_FEW = 4


@dataclass(frozen=True)
class Windows:
    """Where the windows lie: height and width, steps between them, and whether cut ones count."""

    size: tuple[int, int]
    stride: tuple[int, int]
    ceil_mode: bool

    def sums(self, data: Tensor) -> Tensor:
        """The sum of each window, added up in the order that `F.avg_pool2d` does."""
        if not self._one_by_one(data, data.shape):
            return F.avg_pool2d(
                data, self.size, self.stride, ceil_mode=self.ceil_mode, divisor_override=1
            )
        first, second, *others = (data[place] for place in self._places(data.shape))
        total = first + second
        for other in others:
            total += other
        return total

    def spread(self, grad: Tensor, shape: torch.Size) -> Tensor:
        """The gradient of what was summed, of that shape, from that of the sums."""
        if not self._one_by_one(grad, shape):
            any_data = grad.new_empty(()).expand(shape)  # its values are not read
            return torch.ops.aten.avg_pool2d_backward(  # type: ignore[no-any-return]
                grad, any_data, self.size, self.stride, (0, 0), self.ceil_mode, True, 1
            )
        covered = all(n % k == 0 for n, k in zip(shape[-2:], self.size, strict=True))
        spread = grad.new_empty(shape) if covered else grad.new_zeros(shape)
        for place in self._places(shape):
            spread[place] = grad
        return spread

    def _one_by_one(self, like: Tensor, shape: torch.Size) -> bool:
        few = 1 < self.size[0] * self.size[1] <= _FEW
        plain = self.stride == self.size and not self.ceil_mode
        fits = len(shape) in (3, 4) and shape[-2] >= self.size[0] and shape[-1] >= self.size[1]
        exact = like.dtype in (torch.float32, torch.float64)  # others are added up in float32
        # which loses what `spread` writes, before PyTorch 2.13
        eager = not torch.compiler.is_compiling()
        return few and plain and fits and exact and eager and like.device.type == "cpu"

    def _places(self, shape: torch.Size) -> list[tuple[Any, ...]]:
        (height, width), (k, m) = shape[-2:], self.size
        ends = height - height % k, width - width % m
        return [
            (..., slice(i, ends[0], k), slice(j, ends[1], m))
            for i, j in product(range(k), range(m))
        ]


class WindowSums(torch.autograd.Function):
    """`windows.sums` with its gradient, or a gradient that is 0 in windows whose sum is 0."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, windows: Windows, silent_gradient: bool) -> Tensor:
        """The sums; they alone are kept, and only to tell which are 0."""
        sums = windows.sums(data)
        ctx.windows, ctx.shape, ctx.silent_gradient = windows, data.shape, silent_gradient
        if not silent_gradient:
            ctx.save_for_backward(sums)
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the data."""
        if not ctx.silent_gradient:
            (sums,) = ctx.saved_tensors
            # 0 where the sum is between -0 and 0: one pass, without a mask
            grad = torch.ops.aten.hardshrink_backward(grad, sums, 0)
        return ctx.windows.spread(grad, ctx.shape), None, None


class TransformedWindowSums(torch.autograd.Function):
    """:class:`WindowSums` for forward mode and the transforms of torch.func."""

    generate_vmap_rule = True

    @staticmethod
    def forward(data: Tensor, windows: Windows, _: bool) -> Tensor:
        """The sums."""
        return windows.sums(data)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Windows, bool], output: Tensor) -> None:
        """The sums alone are kept."""
        data, ctx.windows, ctx.silent_gradient = inputs
        ctx.shape = data.shape
        if not ctx.silent_gradient:
            ctx.save_for_backward(output)
            ctx.save_for_forward(output)

    backward = WindowSums.backward

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        """The sums of the tangents, 0 where those of the data are unless silent windows have a gradient."""
        sums: Tensor = ctx.windows.sums(tangent)
        return sums if ctx.silent_gradient else torch.where(ctx.saved_tensors[0] == 0, 0.0, sums)
