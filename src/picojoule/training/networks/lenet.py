"""The network of sinabs' tutorials: LeNet with integrate-and-fire neurons."""

from __future__ import annotations

from torch import nn

from picojoule.activation import Heaviside, SurrogateGradient
from picojoule.layers import FlattenTime, IAFSqueeze, SumPool2d, UnflattenTime

IMAGE_SIDE = 28
NUM_CLASSES = 10
_COARSE_SIDE = 32  # larger sensors are pooled to about this first


def lenet(
    batch_size: int,
    surrogate: SurrogateGradient = Heaviside(),  # noqa: B008
    *,
    channels: int = 1,
    sides: tuple[int, int] = (IMAGE_SIDE, IMAGE_SIDE),
    num_classes: int = NUM_CLASSES,
) -> nn.Sequential:
    """A spiking LeNet: `b t c h w -> b t classes`.

    Args:
        batch_size: samples in a batch; `picojoule.set_batch_size` changes it.
        surrogate: slope of the spikes. The default lets gradient through however far a potential
            lies above the threshold, as suits neurons that fire several times a step.
        channels: of the input.
        sides: height and width of the input, >= 28. From 64 on, the input is pooled to about 32 first.
        num_classes: outputs.

    Raises:
        ValueError: a side is below 28.

    Example:
        >>> import torch
        >>> lenet(batch_size=2)(torch.ones(2, 5, 1, 28, 28)).shape
        torch.Size([2, 5, 10])
        >>> lenet(2, channels=2, sides=(128, 128), num_classes=11)(torch.ones(2, 1, 2, 128, 128)).shape
        torch.Size([2, 1, 11])
    """
    if min(sides) < IMAGE_SIDE:
        raise ValueError(
            f"lenet: the input is {sides[0]} x {sides[1]} pixels, expected at least {IMAGE_SIDE} x {IMAGE_SIDE}."
        )
    coarser = max(min(sides) // _COARSE_SIDE, 1)

    def neurons() -> IAFSqueeze:
        return IAFSqueeze(batch_size=batch_size, surrogate_grad_fn=surrogate)

    def left(side: int) -> int:
        return ((side // coarser - 4) // 2 - 4) // 2 - 3

    return nn.Sequential(
        FlattenTime(),
        *([SumPool2d(coarser)] if coarser > 1 else []),
        nn.Conv2d(channels, 16, 5, bias=False),
        neurons(),
        SumPool2d(2),
        nn.Conv2d(16, 32, 5, bias=False),
        neurons(),
        SumPool2d(2),
        nn.Conv2d(32, 120, 4, bias=False),
        neurons(),
        nn.Flatten(),
        nn.Linear(120 * left(sides[0]) * left(sides[1]), num_classes, bias=False),
        neurons(),
        UnflattenTime(batch_size=batch_size),
    )
