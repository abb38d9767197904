"""The target of a sample, for a task of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def stacked_targets(targets: Sequence[Any]) -> Tensor:
    """The targets of a batch as one tensor, `b *k`: numbers, arrays and tensors of one shape, floats as float32.

    Raises:
        ValueError: one is no tensor, or their shapes differ.

    Example:
        >>> stacked_targets([[0.5, 1.0], [2.0, 3.0]])
        tensor([[0.5000, 1.0000],
                [2.0000, 3.0000]])
        >>> stacked_targets([3, 4]).dtype
        torch.int64
    """
    tensors = [_tensor(target) for target in targets]
    shapes = sorted({tuple(each.shape) for each in tensors})
    if len(shapes) > 1:
        raise ValueError(
            f"the samples of one batch have targets of shapes {', '.join(map(str, shapes[:3]))}; expected one shape."
        )
    return torch.stack(tensors)


def _tensor(target: Any) -> Tensor:
    try:
        value = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"a target is a {type(target).__name__}, expected a number, or a tensor or array of numbers."
        ) from None
    return value.float() if value.is_floating_point() else value
