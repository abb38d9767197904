"""Folding the time axis into the batch axis and back."""

from __future__ import annotations

from torch import Tensor, nn

from picojoule.layers.squeeze import known_sizes, shown_sizes, split_batch_and_time


class FlattenTime(nn.Module):
    """Fold batch and time into one axis: `b t *n -> (b t) *n`.

    Example:
        >>> import torch
        >>> FlattenTime()(torch.zeros(2, 10, 3)).shape
        torch.Size([20, 3])
    """

    def forward(self, data: Tensor) -> Tensor:
        """`data` with its first two axes in one."""
        if data.ndim < 2:
            raise ValueError(
                f"FlattenTime: the input has shape {tuple(data.shape)}, expected (batch, time, *neuron)."
            )
        return data.flatten(0, 1)


class UnflattenTime(nn.Module):
    """Take batch and time apart again: `(b t) *n -> b t *n`.

    Args:
        batch_size: number of samples; the time steps follow from the input.
        num_timesteps: number of time steps; the samples follow from the input. One of the two is enough.

    Raises:
        TypeError: neither is given.
        SqueezeError: the input's first axis does not divide.

    Example:
        >>> import torch
        >>> UnflattenTime(batch_size=2)(torch.zeros(20, 3)).shape
        torch.Size([2, 10, 3])
        >>> UnflattenTime(num_timesteps=5)(torch.zeros(20, 3)).shape
        torch.Size([4, 5, 3])
    """

    num_timesteps: int = -1  # also of modules that were pickled before there was one

    def __init__(self, batch_size: int | None = None, num_timesteps: int | None = None) -> None:
        super().__init__()
        self.batch_size, self.num_timesteps = known_sizes(
            type(self).__name__, batch_size, num_timesteps
        )

    def forward(self, data: Tensor) -> Tensor:
        """`data` with its first axis taken apart."""
        split = split_batch_and_time(
            type(self).__name__, len(data), self.batch_size, self.num_timesteps
        )
        return data.reshape(*split, *data.shape[1:])

    def extra_repr(self) -> str:
        """What repr() shows between the parentheses."""
        return shown_sizes(self.batch_size, self.num_timesteps)


class Repeat(nn.Module):
    """Apply a module to every time step on its own: `b t *n -> b t *m`.

    Args:
        module: a module that takes `(b t) *n`.

    Example:
        >>> import torch
        >>> Repeat(nn.Conv2d(1, 4, 3))(torch.zeros(2, 10, 1, 8, 8)).shape
        torch.Size([2, 10, 4, 6, 6])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, data: Tensor) -> Tensor:
        """The module's output for every step of `data`."""
        output: Tensor = self.module(data.flatten(0, 1))
        return output.reshape(*data.shape[:2], *output.shape[1:])
