"""Sum pooling: what a chip does with the spikes of a window."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Size = int | tuple[int, int]


class _ShieldSilence(torch.autograd.Function):
    """Identity whose gradient is 0 where the value is 0; looks at the values in the backward pass only."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor) -> Tensor:
        # handed through in place: a copy would cost as much as the pooling
        ctx.mark_dirty(sums)
        ctx.save_for_backward(sums)
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        sums: Tensor
        (sums,) = ctx.saved_tensors
        # 0 where the value is between -0 and 0: one pass, without a mask
        return torch.ops.aten.hardshrink_backward(grad, sums, 0)  # type: ignore[no-any-return]


class SumPool2d(nn.Module):
    """Sum over windows of the last two axes.

        y[window] = sum of x in the window;   dy/dx = 1, or 0 in windows whose sum is 0

    Input `(n) c h w`, output `(n) c h' w'`. The zero gradient in silent windows is that of an
    L1-norm pool, as in sinabs: it shields silent windows from penalties, and the results of
    sinabs' tutorials depend on it. Windows cut by `ceil_mode` sum what they hold (sinabs scales
    them up to full size).

    Args:
        kernel_size: window, a number or (height, width).
        stride: step between windows; the window's size if omitted.
        ceil_mode: also use the windows that the border cuts.
        silent_gradient: the true gradient, 1 everywhere.

    Example:
        >>> import torch
        >>> SumPool2d(2)(torch.ones(1, 1, 4, 4))
        tensor([[[[4., 4.],
                  [4., 4.]]]])

    Source: sinabs 3.1.3, layers/pool2d.py, for the default gradient.
    """

    silent_gradient: bool = False  # also of layers that were revived without __init__

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
        *,
        silent_gradient: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode
        self.silent_gradient = silent_gradient

    def forward(self, data: Tensor) -> Tensor:
        """Window sums of `data`."""
        sums = F.avg_pool2d(
            data, self.kernel_size, self.stride, ceil_mode=self.ceil_mode, divisor_override=1
        )
        if self.silent_gradient or not sums.requires_grad:
            return sums
        return _ShieldSilence.apply(sums)  # type: ignore[no-any-return, no-untyped-call]

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        shown = [f"kernel_size={self.kernel_size}"]
        if self.stride != self.kernel_size:
            shown.append(f"stride={self.stride}")
        shown += [
            f"{name}=True" for name in ("ceil_mode", "silent_gradient") if getattr(self, name)
        ]
        return ", ".join(shown)
