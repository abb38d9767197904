"""Labelled samples for the gap, in batches, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_PAIRS = "expected pairs (frames, labels), or samples (frames, label) by number"


def batches(data: Any, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Frames `b t *n` and labels `b`, of batches as they are, or of samples by number; those without samples are left out.

    Raises:
        TypeError: what came is none of these.
        ValueError: frames and labels do not go together; the message says how.
    """
    has_items = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if isinstance(data, Mapping) or not (has_items or isinstance(data, Iterable)):
        raise TypeError(
            f"gap: data is {type(data).__name__}, expected batches (frames, labels), or samples (frames, label) by number."
        )
    is_by_number = has_items and len(data) > 0 and np.ndim(_pair(data[0])[1]) == 0
    for frames, labels in _collated(data, batch_size) if is_by_number else map(_pair, data):
        checked = torch.as_tensor(frames).float(), _whole(torch.as_tensor(labels))
        _check(*checked)
        if len(checked[0]):
            yield checked


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list):
        raise TypeError(f"gap: data gives {type(item).__name__}, {_PAIRS}.")
    if len(item) != 2:
        raise TypeError(f"gap: data gives {len(item)} things, {_PAIRS}.")
    first, second = item
    return first, second


def _collated(data: Any, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for first in range(0, len(data), batch_size):
        samples = [_pair(data[k]) for k in range(first, min(first + batch_size, len(data)))]
        frames = [torch.as_tensor(each) for each, _ in samples]
        other = next((each.shape for each in frames if each.shape != frames[0].shape), None)
        if other is not None:
            raise ValueError(
                f"gap: there are samples of shapes {tuple(frames[0].shape)} and {tuple(other)}, expected one shape, (time, ...)."
            )
        yield torch.stack(frames), torch.tensor([_label(label) for _, label in samples])


def _label(label: Any) -> int:
    try:
        whole = int(label)
    except (TypeError, ValueError):
        whole = None
    if whole is None or whole != label:
        raise ValueError(f"gap: there is a label {label!r}, expected a whole number.")
    return whole


def _whole(labels: Tensor) -> Tensor:
    if labels.is_complex() or bool((labels != labels.round()).any()):
        raise ValueError(f"gap: the labels are {labels.dtype}, expected whole numbers.")
    return labels.long()


def _check(frames: Tensor, labels: Tensor) -> None:
    if frames.ndim < 3:
        raise ValueError(
            f"gap: the frames have shape {tuple(frames.shape)}, expected (batch, time, ...)."
        )
    if labels.shape != frames.shape[:1]:
        raise ValueError(
            f"gap: the labels have shape {tuple(labels.shape)}, expected ({len(frames)},): a class for each sample."
        )
