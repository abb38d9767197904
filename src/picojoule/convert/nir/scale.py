"""Multiplication by fixed factors: NIR's Scale, and the input weights of its neurons."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """`y = scale * x + shift`, elementwise; neither is trained.

    Args:
        scale: factors that broadcast over `*n`.
        shift: what is added; 0 for nothing.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Any, shift: Any = 0.0) -> None:
        super().__init__()
        dtype = torch.get_default_dtype()
        self.register_buffer("scale", torch.as_tensor(scale, dtype=dtype).clone())
        self.register_buffer("shift", torch.as_tensor(shift, dtype=dtype).clone())

    def forward(self, data: Tensor) -> Tensor:
        """`data`, scaled and shifted."""
        return data * self.scale + self.shift
