"""Formulas of convolutions and transposed convolutions of one, two and three axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.activation.transforms import outside_transforms
from picojoule.synops.fan_out import derivative_of_sum
from picojoule.synops.formulas.synapses import Count, Synapses
from picojoule.synops.magnitudes import Magnitudes, exact_dtype

Convolve = Callable[..., Tensor]


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> list[Synapses]:
    """F.conv1d, conv2d and conv3d. A padded zero has no synapse."""
    convolve = (F.conv1d, F.conv2d, F.conv3d)[weight.ndim - 3]
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    targets = weight.shape[0] // groups

    def kernels(mask: Tensor) -> Tensor:
        # how many output channels each weight position of an input channel reaches
        return mask.reshape(groups, targets, *mask.shape[1:]).sum(1).flatten(0, 1).unsqueeze(1)

    return [_synapses(convolve, input, weight, settings, targets, kernels)]


def transposed_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> list[Synapses]:
    """F.conv_transpose1d, 2d and 3d. What the padding cuts off has no synapse."""
    convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[weight.ndim - 3]
    settings = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
    }

    def kernels(mask: Tensor) -> Tensor:
        return mask.sum(1, keepdim=True)

    return [_synapses(convolve, input, weight, settings, weight.shape[1], kernels)]


def _synapses(
    convolve: Convolve,
    x: Tensor,
    weight: Tensor,
    settings: dict[str, Any],
    targets: int,
    kernels: Callable[[Tensor], Tensor],
) -> Synapses:
    """Those of a convolution whose every weight position reaches `targets` output channels.

    A channel at a time: with one kernel that holds the number of its weights at each position,
    instead of all kernels of all output channels.
    """
    shape, device = x.shape, x.device  # x itself may be gone when it is counted
    sizes, leading = shape[2 - weight.ndim :], x.ndim - weight.ndim + 1
    fixed_settings = tuple((name, _hashable(value)) for name, value in settings.items())

    def one_to_one() -> tuple[Tensor, Tensor]:
        window = tuple(weight.shape[2:])
        return _window_map(convolve, tuple(sizes), window, fixed_settings, device)

    def fan_out(mask: Magnitudes | None) -> Tensor:
        if mask is None:
            return targets * one_to_one()[0]
        kernel = kernels(mask.over(()))
        run = partial(convolve, groups=len(kernel), **settings)
        kernel = kernel.to(exact_dtype(kernel))
        one = (1, len(kernel), *sizes)
        return derivative_of_sum(lambda data, k: run(data, k), one, kernel)[0]

    def count(values: Sequence[Magnitudes | None]) -> Count:
        spikes, mask = values
        if spikes is None and mask is None:
            return one_to_one()[1] * (targets * math.prod(shape[: leading + 1]))
        reached = fan_out(mask)
        if spikes is None:
            one = reached.expand(shape[leading:])
            return one.sum() * math.prod(shape[:leading])
        sums = spikes.over(range(leading))
        return (sums.to(reached.dtype) * reached).sum()

    return Synapses((x, weight), frozenset([1]), count, channel=1 - weight.ndim, leading=leading)


@lru_cache(maxsize=256)
def _window_map(
    convolve: Convolve,
    sizes: tuple[int, ...],
    window: tuple[int, ...],
    settings: tuple[tuple[str, Any], ...],
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Fan-out of one input channel to one output channel, `1 *s`, and its sum."""
    with outside_transforms(), torch.inference_mode(False):
        ones = torch.ones((1, 1, *window), device=device)
        ones = ones.to(exact_dtype(ones))
    run = partial(convolve, **dict(settings))
    fan_out = derivative_of_sum(lambda data, k: run(data, k), (1, 1, *sizes), ones)[0]
    with outside_transforms(), torch.inference_mode(False), torch.no_grad():
        return fan_out, fan_out.sum()


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value
