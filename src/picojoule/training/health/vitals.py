"""Signs of life of a network in training, read off the batches it is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.counting_monitor import CountingMonitor

LOOKED_AT = 10
"""Batches at the end of an epoch: enough to tell a silent layer, too few to cost anything."""


@dataclass(frozen=True)
class Vitals:
    """What an epoch of training showed.

    Attributes:
        task_loss: mean over the epoch's steps, without the penalty of a budget.
        silent: spiking layers of which no neuron fired in the last batches.
        answered: samples of the last batches that were given each class.
        labelled: samples of the last batches of each class.
    """

    task_loss: float
    silent: tuple[str, ...]
    answered: tuple[int, ...]
    labelled: tuple[int, ...]


class Watch:
    """Looks at an epoch while it goes on.

    Args:
        batches: how many micro-batches it will have.
        steps: how many training steps.

    Example:
        >>> import picojoule
        >>> model = picojoule.layers.IAF()
        >>> monitor = picojoule.Monitor(torch.nn.Sequential(model)).attach()
        >>> _ = monitor.model(torch.zeros(2, 5, 3))
        >>> watch = Watch(batches=1, steps=1)
        >>> watch.see(torch.tensor(0.5), [(torch.tensor([2, 0, 0]), torch.tensor([1, 0, 1]))], monitor)
        >>> watch.vitals(lambda count: count)
        Vitals(task_loss=0.5, silent=('0',), answered=(2, 0, 0), labelled=(1, 0, 1))
    """

    def __init__(self, batches: int, steps: int) -> None:
        self._left, self._steps = batches, steps
        self._loss: list[Tensor] = []
        self._highest: dict[str, Tensor] = {}
        self._answered: list[Tensor] = []
        self._labelled: list[Tensor] = []

    def see(
        self, task: Tensor, classes: Sequence[tuple[Tensor, Tensor]], monitor: CountingMonitor
    ) -> None:
        """Take in a micro-batch; waits for no device.

        Args:
            task: its part of the loss of the task, over all processes.
            classes: how many samples were given each class, and are of it; nothing where there are no classes.
            monitor: saw it.
        """
        self._loss.append(task.detach())
        self._left -= 1
        if self._left >= LOOKED_AT:
            return
        for answered, labelled in classes:
            self._answered.append(answered)
            self._labelled.append(labelled)
        for name, rates in monitor.rates.items():
            highest = rates.detach().amax()
            self._highest[name] = torch.maximum(self._highest.get(name, highest), highest)

    def vitals(self, summed: Callable[[Tensor], Tensor]) -> Vitals:
        """What it saw. Waits for the device.

        Args:
            summed: adds a count up over the processes.
        """
        return Vitals(
            task_loss=float(torch.stack(self._loss).double().sum()) / self._steps,
            silent=tuple(name for name, rate in self._highest.items() if not rate > 0),
            answered=added_up(summed, self._answered),
            labelled=added_up(summed, self._labelled),
        )


def added_up(summed: Callable[[Tensor], Tensor], counted: Iterable[Tensor]) -> tuple[int, ...]:
    """Counts of each class, over batches and processes."""
    counts = [*counted]
    return tuple(int(n) for n in summed(torch.stack(counts).sum(0)).tolist()) if counts else ()


def over_processes(fabric: Any) -> Callable[[Tensor], Tensor]:
    """What adds a count up over the processes of a Fabric."""

    def summed(count: Tensor) -> Tensor:
        total: Tensor = fabric.all_reduce(count, reduce_op="sum")
        return total

    return summed
