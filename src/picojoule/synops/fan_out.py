"""How many synapses each input element of a convolution reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.activation.transforms import in_values, outside_transforms

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_saving_can_be_followed = getattr(
    torch._C._autograd, "_saved_tensors_hooks_is_enabled", lambda: True
)


def conv_fan_out(
    layer: Convolution,
    input_shape: Sequence[int],
    device: torch.device | str | None = None,
) -> Tensor:
    """Number of synapses from each input element, for any stride, padding, dilation and groups.

        fan_out = d(sum of y) / dx   for   y = conv(x, all weights 1)

    The derivative passes through the layer's own padding, so that "same", circular, reflecting and
    replicating borders are right. Draws no random numbers.

    Args:
        layer: a Conv1d, Conv2d or Conv3d; its weights are not looked at.
        input_shape: shape of one input, `c *s`.
        device: where the map is needed; the layer's device if omitted.

    Returns:
        The map, `1 c *s`, float32, whole numbers.

    Raises:
        ValueError: `input_shape` does not fit the layer.

    Example:
        >>> conv_fan_out(nn.Conv2d(1, 2, 3), (1, 4, 4))
        tensor([[[[2., 4., 4., 2.],
                  [4., 8., 8., 4.],
                  [4., 8., 8., 4.],
                  [2., 4., 4., 2.]]]])
    """
    shape = tuple(input_shape)
    if len(shape) != len(layer.kernel_size) + 1 or shape[0] != layer.in_channels:
        raise ValueError(
            f"conv_fan_out: an input of shape {shape} does not fit {layer}, which expects "
            f"({layer.in_channels}, {', '.join('*' * len(layer.kernel_size))})."
        )
    device = torch.device(layer.weight.device if device is None else device)
    kernels = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
    ones = torch.ones(kernels, device=device, dtype=torch.float32)

    def convolve(x: Tensor, kernel: Tensor) -> Tensor:
        # the one place that knows the padding mode; forward() would use the real weights
        y: Tensor = layer._conv_forward(x, kernel, None)
        return y

    try:
        return derivative_of_sum(convolve, (1, *shape), ones)
    except RuntimeError as error:
        raise ValueError(
            f"conv_fan_out: an input of shape {shape} does not fit {layer}: {error}"
        ) from error


def derivative_of_sum(
    function: Callable[[Tensor, Tensor], Tensor], shape: Sequence[int], kernel: Tensor
) -> Tensor:
    """d(sum of y) / dx of y = function(x, kernel), linear in x, which has this shape."""
    # whatever the model runs under (autocast, checkpointing, inference, torch.func) is no business of the map's
    followed: Any = nullcontext()
    if _saving_can_be_followed():  # not within torch.func.grad
        followed = torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x)
    kernel = in_values(kernel)
    with (
        outside_transforms(),
        followed,
        torch._C.DisableTorchFunction(),  # nor is the map any of theirs
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(kernel.device.type, enabled=False),
    ):
        kernel = kernel.detach().clone()
        x = torch.zeros(tuple(shape), dtype=kernel.dtype, device=kernel.device, requires_grad=True)
        (fan_out,) = torch.autograd.grad(function(x, kernel).sum(), x)
    return fan_out
