"""Sizes of convolutions, under sinabs' names."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn


def conv_output_size(image_length: int, kernel_length: int, stride: int) -> int:
    """Positions of an unpadded kernel along one axis.

    Raises:
        ValueError: the kernel is longer than the image.

    Example:
        >>> conv_output_size(64, kernel_length=3, stride=2)
        31
    """
    if kernel_length > image_length:
        raise ValueError(
            f"conv_output_size: a kernel of {kernel_length} does not fit into an image of {image_length}."
        )
    return (image_length - kernel_length) // stride + 1


def compute_same_padding_size(kernel_length: int) -> tuple[int, int]:
    """Padding before and after, along one axis, that keeps the size at stride 1.

    Example:
        >>> compute_same_padding_size(3), compute_same_padding_size(4)
        ((1, 1), (2, 1))
    """
    before = kernel_length // 2
    return before, kernel_length - 1 - before


def compute_padding(
    kernel_shape: Sequence[int], input_shape: Sequence[int] | None = None, mode: str = "valid"
) -> tuple[int, int, int, int]:
    """Padding (left, right, top, bottom) for a kernel (height, width).

    Args:
        kernel_shape: height and width.
        input_shape: accepted for sinabs' sake; the padding does not depend on it.
        mode: "valid" for none, "same" to keep the size at stride 1.

    Raises:
        NotImplementedError: another mode.

    Example:
        >>> compute_padding((3, 5), mode="same")
        (2, 2, 1, 1)
    """
    if mode == "valid":
        return 0, 0, 0, 0
    if mode == "same":
        height, width = kernel_shape
        return (*compute_same_padding_size(width), *compute_same_padding_size(height))
    raise NotImplementedError(f"compute_padding: mode is {mode!r}; choose 'valid' or 'same'.")


def infer_output_shape(torch_layer: nn.Module, input_shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of a layer's output, without the batch axis, for an input of `input_shape`.

    Runs a copy on zeros: the layer's state and statistics, and the random generator, stay as they were.

    Example:
        >>> infer_output_shape(nn.Conv2d(1, 4, 3), (1, 8, 8))
        (4, 6, 6)
    """
    layer = copy.deepcopy(torch_layer).eval()
    like = next(layer.parameters(), torch.empty(0))
    with torch.no_grad():
        output = layer(torch.zeros((1, *input_shape), dtype=like.dtype, device=like.device))
    return tuple(output.shape[1:])
