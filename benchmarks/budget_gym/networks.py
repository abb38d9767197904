"""The networks of the tasks; each takes the batch size and answers `b t classes`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

import picojoule.layers as pl
from benchmarks.budget_gym.sequences import CHANNELS, CLASSES
from picojoule.activation import Heaviside, SingleExponential
from picojoule.training.networks.lenet import lenet as lenet_of_train
from picojoule.training.networks.recurrent_net import recurrent_net

CONV_CHANNELS = 16
STRIDES = (2, 2, 1, 2, 1, 1, 1)  # of the convolutions of `conv1d`


def seed_net(batch_size: int) -> nn.Sequential:
    """The seed's network; its pooling lets gradient into silent windows."""
    model = lenet_of_train(batch_size, SingleExponential())
    for layer in model:
        if isinstance(layer, pl.SumPool2d):
            layer.silent_gradient = True
    return model


def lenet(batch_size: int) -> nn.Sequential:
    """The network of `picojoule train`."""
    return lenet_of_train(batch_size)


def tiny(batch_size: int) -> nn.Sequential:  # noqa: ARG001  (one of several networks)
    """Two layers of integrate-and-fire neurons and an answer that does not spike."""
    return nn.Sequential(
        nn.Linear(24, 50),
        pl.IAF(surrogate_grad_fn=Heaviside()),
        nn.Linear(50, 30),
        pl.IAF(surrogate_grad_fn=Heaviside()),
        nn.Linear(30, 4),
    )


def mlp(batch_size: int) -> nn.Sequential:  # noqa: ARG001
    """Three layers of leaky neurons on all pixels at once."""

    def neurons() -> pl.LIF:
        return pl.LIF(10.0, norm_input=False, surrogate_grad_fn=Heaviside())

    return nn.Sequential(
        nn.Flatten(2),
        nn.Linear(28 * 28, 96, bias=False),
        neurons(),
        nn.Linear(96, 48, bias=False),
        neurons(),
        nn.Linear(48, 10, bias=False),
        neurons(),
    )


def conv1d(batch_size: int) -> nn.Sequential:
    """Deep and narrow: seven convolutions over the channels of each time step, a few thousand weights."""
    last = nn.Linear(CONV_CHANNELS * CHANNELS // math.prod(STRIDES), CLASSES, bias=False)
    model = nn.Sequential(
        pl.FlattenTime(),
        nn.Unflatten(1, (1, CHANNELS)),
        *_convolutions(batch_size),
        nn.Flatten(),
        last,
        pl.LIFSqueeze(batch_size, tau_mem=10.0, norm_input=False),
        pl.UnflattenTime(batch_size=batch_size),
    )
    with torch.no_grad():  # as PyTorch draws them, nothing would fire behind the second layer
        for layer in model:
            if isinstance(layer, nn.Conv1d):
                layer.weight.mul_(2.5)
    return model


def _convolutions(batch_size: int) -> Iterator[nn.Module]:
    inputs = 1
    for stride in STRIDES:
        yield nn.Conv1d(inputs, CONV_CHANNELS, 3, stride=stride, padding=1, bias=False)
        yield pl.LIFSqueeze(batch_size, tau_mem=10.0, norm_input=False)
        inputs = CONV_CHANNELS


def recurrent(batch_size: int) -> nn.Sequential:  # noqa: ARG001
    """Recurrent leaky neurons, and leaky neurons that answer."""
    return recurrent_net(CHANNELS, CLASSES, hidden=64)
