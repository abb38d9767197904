"""The frames of a sample: real numbers, time first."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def as_frames(frames: Any) -> Tensor:
    """What a data set gives as frames, as float32.

    Raises:
        ValueError: they are no real numbers; the message says what they are.

    Example:
        >>> as_frames([[0, 1], [1, 1]])
        tensor([[0., 1.],
                [1., 1.]])
        >>> as_frames({"pixels": 3})
        Traceback (most recent call last):
        ValueError: frames are of type dict, expected a tensor or an array of numbers, t *f: time, then features.
    """
    try:
        found = torch.as_tensor(frames)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"frames are of type {type(frames).__name__}{_why(frames, error)}, expected a tensor or an array of "
            "numbers, t *f: time, then features."
        ) from error
    if found.is_complex():
        raise ValueError(
            f"frames are complex numbers ({found.dtype}), expected real ones. Give their magnitude, or real and "
            "imaginary part as two features."
        )
    return found.to(torch.float32)


def _why(frames: Any, error: Exception) -> str:
    """What more there is to say of the arrays and lists that PyTorch does not take."""
    if isinstance(frames, list | tuple) and any(isinstance(each, Tensor) for each in frames):
        return " of tensors (torch.stack makes one of them)"
    known = hasattr(frames, "__array__") or isinstance(frames, list | tuple)
    return f" ({str(error).splitlines()[0].strip().rstrip('.')})" if known and str(error) else ""
