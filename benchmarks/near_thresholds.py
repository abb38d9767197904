"""Spikes of an event network that are not PyTorch's: how many, and how near to a threshold the potentials were."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import nn

import picojoule
from picojoule import events
from picojoule.events.network import Dense


class Differences(NamedTuple):
    """Of a weighted layer and its IAF neurons on the same input.

    Args:
        spikes: how many PyTorch has.
        differ: neurons and time steps whose count is another one.
        distances: of each neuron that differs how far its potential was from a threshold when it first did, in float64, in
            roundings of float32 of all that had arrived, of either sign.
    """

    spikes: int
    differ: int
    distances: list[float]


def differences(
    pair: nn.Sequential, x: torch.Tensor, batch: int, dense: Dense = "never"
) -> Differences:
    """PyTorch's spikes beside those event by event; `x` is `(b t) *n`."""
    picojoule.reset_states(pair)
    with torch.no_grad():
        expected = pair(x).unflatten(0, (batch, -1))
        found = events.compile(pair, x, dense=dense)(x).unflatten(0, (batch, -1))
        pair = copy.deepcopy(pair).double()
        current = pair[0](x.double()).unflatten(0, (batch, -1))
        pair[0].weight.abs_()
        arrived = pair[0](x.double()).unflatten(0, (batch, -1)).cumsum(1)
    before = current.cumsum(1) - expected.double().cumsum(1) + expected.double()
    distance = (before - before.round().clamp(min=1)).abs()
    rounding = torch.finfo(torch.float32).eps * arrived.clamp(min=1)
    differs = found != expected
    first = differs & (differs.cumsum(1) == 1)
    return Differences(
        int(expected.sum()), int(differs.sum()), (distance / rounding)[first].tolist()
    )
