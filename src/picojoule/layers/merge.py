"""Adding two branches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Merge(nn.Module):
    """Sum of two inputs; the smaller one is padded with zeros at the end of each axis but the first.

    Example:
        >>> Merge()(torch.ones(1, 2), torch.ones(1, 3))
        tensor([[2., 2., 1.]])

    Raises:
        ValueError: the inputs have different numbers of axes, or of samples. (sinabs pads samples too.)
    """

    def forward(self, data1: Tensor, data2: Tensor) -> Tensor:
        """`data1 + data2`."""
        if data1.ndim != data2.ndim or len(data1) != len(data2):
            raise ValueError(
                f"Merge: the inputs have shapes {tuple(data1.shape)} and {tuple(data2.shape)}, expected as "
                "many axes and a first axis (batch, or batch * time) of the same length."
            )
        shape = torch.Size(map(max, data1.shape, data2.shape))
        return _padded(data1, shape) + _padded(data2, shape)


def _padded(data: Tensor, shape: torch.Size) -> Tensor:
    if data.shape == shape:
        return data
    missing = [want - have for have, want in zip(data.shape, shape, strict=True)]
    return F.pad(data, [n for axis in reversed(missing) for n in (0, axis)])
