"""Cutting away the border of an image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Cropping2dLayer(nn.Module):
    """Cut rows and columns off the last two axes: `*n h w -> *n h' w'`.

    Args:
        cropping: ((top, bottom), (left, right)), how many to cut off, each >= 0.

    Raises:
        ValueError: from the forward pass, if nothing would be left.

    Example:
        >>> import torch
        >>> Cropping2dLayer(((1, 2), (0, 1)))(torch.ones(1, 2, 6, 5)).shape
        torch.Size([1, 2, 3, 4])
    """

    def __init__(self, cropping: Sequence[Sequence[int]] = ((0, 0), (0, 0))) -> None:
        super().__init__()
        (self.top_crop, self.bottom_crop), (self.left_crop, self.right_crop) = (
            (int(a), int(b)) for a, b in cropping
        )
        if min(self.top_crop, self.bottom_crop, self.left_crop, self.right_crop) < 0:
            raise ValueError(f"Cropping2dLayer: cropping is {cropping}, expected numbers >= 0.")

    def forward(self, data: Tensor) -> Tensor:
        """What is left of `data`."""
        height, width = self.get_output_shape(data.shape)[-2:]
        return data[..., self.top_crop : self.top_crop + height, self.left_crop :][..., :width]

    def get_output_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """Shape `*n h' w'` of what is left of an input `*n h w`."""
        *others, height, width = input_shape
        left = (
            height - self.top_crop - self.bottom_crop,
            width - self.left_crop - self.right_crop,
        )
        if min(left) < 1:
            raise ValueError(
                f"Cropping2dLayer: nothing is left of an input of shape {tuple(input_shape)} after "
                f"{self.extra_repr()}."
            )
        return (*others, *left)

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        rows, columns = (self.top_crop, self.bottom_crop), (self.left_crop, self.right_crop)
        return f"cropping=({rows}, {columns})"
