"""Samples and time steps of a forward pass, and how they are read off a shape."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from picojoule.layers.squeeze import split_batch_and_time
from picojoule.synops.watch.spiking import Spiking, TimeAxis


class PassSize(NamedTuple):
    """Samples, and time steps of each; tensors where they are those of several processes."""

    samples: Any
    num_timesteps: Any

    def in_words(self) -> str:
        """As a sentence has it.

        Example:
            >>> PassSize(5, 1).in_words()
            '5 samples of 1 time step'
        """
        counted = ((self.samples, "sample"), (self.num_timesteps, "time step"))
        return " of ".join(
            f"{number} {what}{'' if number == 1 else 's'}" for number, what in counted
        )


def size_of_shape(axis: TimeAxis | None, shape: tuple[int, ...]) -> PassSize:
    """The size of a pass whose input has that shape, with its time on that axis.

    Example:
        >>> size_of_shape("tb", (10, 4, 3))
        PassSize(samples=4, num_timesteps=10)
    """
    first, second = (*shape, 1)[:2]
    if axis == "tb":
        return PassSize(second, first)
    return PassSize(first, second if axis == "bt" else shape[-1] if len(shape) > 1 else 1)


def size_of_folded(module: nn.Module, kind: Spiking, entries: int) -> PassSize | None:
    """The size of a pass in which a neuron gets so many entries, samples times time steps in one axis; None if it does not tell."""
    num_timesteps = kind.num_timesteps
    if num_timesteps is None:
        return size_of_unfolded(module, entries)
    if entries % num_timesteps:
        return PassSize(entries, 1)
    return PassSize(entries // num_timesteps, num_timesteps)


def size_of_unfolded(module: Any, entries: int) -> PassSize | None:
    """The same of a module that has its samples or time steps as an attribute, as our own layers have."""
    given = getattr(module, "batch_size", -1), getattr(module, "num_timesteps", -1)
    batch_size, num_timesteps = (-1 if number is None else int(number) for number in given)
    if batch_size == num_timesteps == -1:
        return None
    kind = type(module).__name__
    return PassSize(*split_batch_and_time(kind, entries, batch_size, num_timesteps))
