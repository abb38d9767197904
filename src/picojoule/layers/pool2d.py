"""Sum pooling: what a chip does with the spikes of a window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from picojoule.activation.transforms import is_transformed, suited
from picojoule.layers.window_sums import TransformedWindowSums, Windows, WindowSums

Size = int | tuple[int, int]


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
        stride = self.kernel_size if self.stride is None else self.stride  # as revived from sinabs
        windows = Windows(_pair(self.kernel_size), _pair(stride), self.ceil_mode)
        if not (data.requires_grad and torch.is_grad_enabled()) and not is_transformed():
            return windows.sums(data)
        summing = suited(WindowSums, TransformedWindowSums)
        return summing.apply(data, windows, self.silent_gradient)  # type: ignore[no-any-return, no-untyped-call]

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        shown = [f"kernel_size={self.kernel_size}"]
        if self.stride != self.kernel_size:
            shown.append(f"stride={self.stride}")
        shown += [
            f"{name}=True" for name in ("ceil_mode", "silent_gradient") if getattr(self, name)
        ]
        return ", ".join(shown)


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
