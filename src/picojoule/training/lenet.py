"""The network of sinabs' tutorials: LeNet with integrate-and-fire neurons."""

from __future__ import annotations

from torch import nn

from picojoule.activation import Heaviside, SurrogateGradient
from picojoule.layers import FlattenTime, IAFSqueeze, SumPool2d, UnflattenTime

IMAGE_SIDE = 28
NUM_CLASSES = 10


def lenet(batch_size: int, surrogate: SurrogateGradient = Heaviside()) -> nn.Sequential:  # noqa: B008
    """A spiking LeNet for 28x28 grey images and ten classes: `b t 1 28 28 -> b t 10`.

    Args:
        batch_size: samples in a batch; `picojoule.set_batch_size` changes it.
        surrogate: slope of the spikes. The default lets gradient through however far a potential
            lies above the threshold, as suits neurons that fire several times a step.

    Example:
        >>> import torch
        >>> lenet(batch_size=2)(torch.ones(2, 5, 1, 28, 28)).shape
        torch.Size([2, 5, 10])
    """

    def neurons() -> IAFSqueeze:
        return IAFSqueeze(batch_size=batch_size, surrogate_grad_fn=surrogate)

    return nn.Sequential(
        FlattenTime(),
        nn.Conv2d(1, 16, 5, bias=False),
        neurons(),
        SumPool2d(2),
        nn.Conv2d(16, 32, 5, bias=False),
        neurons(),
        SumPool2d(2),
        nn.Conv2d(32, 120, 4, bias=False),
        neurons(),
        nn.Flatten(),
        nn.Linear(120, NUM_CLASSES, bias=False),
        neurons(),
        UnflattenTime(batch_size=batch_size),
    )
