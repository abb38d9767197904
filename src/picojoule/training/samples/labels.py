"""The label of a sample: the number of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def class_number(label: Any) -> int:
    """A label as a whole number.

    Args:
        label: a number, or a tensor or array of one.

    Raises:
        ValueError: it is something else; the message says what.

    Example:
        >>> class_number(torch.tensor([3])), class_number(2.0)
        (3, 2)
        >>> class_number(torch.eye(5)[3])
        Traceback (most recent call last):
        ValueError: a label is a tensor of shape (5,), one-hot, expected the number of a class. Give label.argmax().
    """
    try:
        value = torch.as_tensor(label)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"a label is {_brief(label)}, a {type(label).__name__}, expected the number of a class."
        ) from None
    if value.numel() != 1:
        one_hot = value.ndim == 1 and int((value != 0).sum()) == 1
        raise ValueError(
            f"a label is a tensor of shape {tuple(value.shape)}{', one-hot' if one_hot else ''}, expected the number "
            f"of a class.{' Give label.argmax().' if one_hot else ''}"
        )
    number = value.item()
    if isinstance(number, complex) or not float(number).is_integer():
        raise ValueError(f"a label is {number}, expected the number of a class.")
    return int(number)


def class_numbers(labels: Sequence[Any]) -> Tensor:
    """The labels of a batch as one tensor, `b`.

    Raises:
        ValueError: one is not the number of a class.
    """
    return torch.tensor([class_number(label) for label in labels])


def _brief(label: Any) -> str:
    shown = repr(label)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
