"""Moving channels up to make room for others."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ChannelShift(nn.Module):
    """Put zero channels in front of the existing ones.

    Args:
        channel_shift: number of zero channels, >= 0.
        channel_axis: the axis of the channels; -3 for `(b t) c h w`.

    Example:
        >>> import torch
        >>> ChannelShift(2)(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 5, 4, 4])
    """

    def __init__(self, channel_shift: int = 0, channel_axis: int = -3) -> None:
        super().__init__()
        if channel_shift < 0:
            raise ValueError(
                f"ChannelShift: channel_shift is {channel_shift}, expected channel_shift >= 0."
            )
        self.channel_shift = channel_shift
        self.channel_axis = channel_axis

    def forward(self, data: Tensor) -> Tensor:
        """`data` with the zero channels in front."""
        axes_behind = (
            -self.channel_axis - 1 if self.channel_axis < 0 else (data.ndim - 1 - self.channel_axis)
        )
        return F.pad(data, [0, 0] * axes_behind + [self.channel_shift, 0])

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        return f"channel_shift={self.channel_shift}, channel_axis={self.channel_axis}"
