"""What passes between layers: events, each at a position and in a channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Signal:
    """The output of a layer, or the network's input.

    Args:
        name: of the layer.
        shape: of a sample's step, as PyTorch has it, `*n`.
        channels_first: whether its channels are the first axis, as for a convolution, or the last.
        is_spikes: whether its values are counts; otherwise they may be anything.
    """

    name: str
    shape: tuple[int, ...]
    channels_first: bool
    is_spikes: bool = True

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[0] if self.channels_first else self.shape[-1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of the axes that positions have."""
        return self.shape[1:] if self.channels_first else self.shape[:-1]

    @property
    def positions(self) -> int:
        """Number of positions."""
        return math.prod(self.sizes)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    def to_engine(self, values: Tensor) -> Tensor:
        """Values `b *n` in PyTorch's order, as `b n` in the engine's: positions, and in each the channels."""
        if not self.channels_first:
            return values.reshape(len(values), self.neurons)
        by_channel = values.reshape(len(values), self.channels, self.positions)
        return by_channel.transpose(1, 2).reshape(len(values), self.neurons)

    def to_torch(self, values: Tensor) -> Tensor:
        """Values `b n` in the engine's order, as `b *n` in PyTorch's."""
        if not self.channels_first:
            return values.reshape(len(values), *self.shape)
        by_position = values.reshape(len(values), self.positions, self.channels)
        return by_position.transpose(1, 2).reshape(len(values), *self.shape)

    def per_neuron(self, value: Tensor | float) -> Tensor:
        """A parameter that broadcasts over `*n`, as float32 `n` in the engine's order."""
        own = torch.as_tensor(value, dtype=torch.float32).detach().broadcast_to(self.shape)
        return self.to_engine(own[None])[0].contiguous()
