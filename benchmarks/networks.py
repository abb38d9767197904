"""The same network in every library: one definition in Picojoule's layers, translated."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule.layers as pl
from benchmarks.cases import Step
from benchmarks.implementations import Implementation, Picojoule

SPIKE_RATE = 0.3


class Folded(nn.Module):
    """Neurons for sequences inside a network whose first axis is batch and time in one."""

    def __init__(self, neurons: nn.Module, lead: tuple[int, int]) -> None:
        super().__init__()
        self.neurons, self.lead = neurons, lead

    def forward(self, data: Tensor) -> Tensor:
        return self.neurons(data.unflatten(0, self.lead)).flatten(0, 1)


def translated(
    model: nn.Sequential, implementation: Implementation, lead: tuple[int, int]
) -> nn.Sequential:
    """The network as another library has it, with the same weights; ours stays as it is."""
    if isinstance(implementation, Picojoule):
        return model

    def part(module: nn.Module) -> nn.Module:
        match module:
            case pl.IAFSqueeze():
                return Folded(implementation.neurons(None), lead)
            case pl.SumPool2d():
                return implementation.sum_pool(module.kernel_size)
            case pl.FlattenTime():
                return nn.Flatten(0, 1)
            case pl.UnflattenTime():
                return nn.Unflatten(0, lead)
            case pl.StatefulLayer():
                raise NotImplementedError(f"no translation of {type(module).__name__}")
        return copy.deepcopy(module)

    return nn.Sequential(*map(part, model))


def spike_trains(implementation: Implementation, batch: int, time: int, *size: int) -> Tensor:
    """Random spikes in the implementation's layout."""
    return (torch.rand(*implementation.lead(batch, time), *size) < SPIKE_RATE).float()


def training_step(
    model: nn.Module,
    implementation: Implementation,
    frames: Tensor,
    classes: int,
    penalty: Callable[[], Tensor] | None = None,
) -> Step:
    """One step of Adam on the cross entropy of the summed output, plus the penalty.

    Args:
        model: from `frames` to a sequence of `classes` outputs, in the implementation's layout.
        implementation: whose layers the model is made of.
        frames: spike trains.
        classes: number of outputs.
        penalty: added to the loss after each forward pass.
    """
    batch = frames.shape[1 - implementation.time_axis]
    labels = torch.arange(batch) % classes
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        with implementation.chosen():
            implementation.reset(model)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(frames).sum(implementation.time_axis), labels)
            if penalty is not None:
                loss = loss + penalty()
            loss.backward()
            optimizer.step()

    return step
