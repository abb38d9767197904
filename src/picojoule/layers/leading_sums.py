"""Sums over samples and time steps, at the speed of memory."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def summed_over_leading(values: Tensor, axes: int, dtype: torch.dtype | None = None) -> Tensor:
    """Sum over the first `axes` axes.

    Example:
        >>> summed_over_leading(torch.ones(2, 3, 4), axes=2)
        tensor([6., 6., 6., 6.])
    """
    entries = math.prod(values.shape[:axes])
    block = _block(entries)
    if (
        block in (1, entries)
        or values.device.type != "cpu"
        or not (values.numel() and values.is_contiguous())
    ):
        return values.sum(tuple(range(axes)), dtype=dtype)
    # PyTorch adds up few rows at the speed of memory, and many at half of it
    blocks = values.reshape(entries // block, block, -1).sum(1, dtype=dtype)
    return blocks.sum(0).reshape(values.shape[axes:])


def _block(entries: int) -> int:
    """How many rows to add up at once."""
    return next((n for n in (16, 10, 20, 8, 25, 32, 40, 50, 64, 100) if entries % n == 0), 1)
