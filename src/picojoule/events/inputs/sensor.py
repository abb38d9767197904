"""Which neuron of a signal an event comes to, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from picojoule.data.events import Events
from picojoule.events.inputs.columns import Ints, Slice


class Fault(NamedTuple):
    """Some events that are not as they should be.

    Attributes:
        field: of the events.
        is_faulty: bool `n`.
        expected: ends the message.
    """

    field: str
    is_faulty: np.ndarray[tuple[int], np.dtype[np.bool_]]
    expected: str


@dataclass(frozen=True)
class Sensor:
    """A step of a signal as a sensor.

        neuron = (p * height + y) * width + x      for (p, h, w)
        neuron = x,   y = p = 0                    for (n,)

    Args:
        channels: polarities, or channels.
        height: rows.
        width: columns.

    Example:
        >>> Sensor.of((2, 3, 4), "here", "input").neuron_of(Slice(0, *map(np.array, ([9], [1], [2], [1]))))
        array([21])
    """

    channels: int
    height: int
    width: int

    @classmethod
    def of(cls, shape: tuple[int, ...], where: str, what: str) -> Sensor:
        """The sensor of that shape.

        Raises:
            ValueError: it is neither (p, h, w) nor (n,).
        """
        if len(shape) not in (1, 3):
            raise ValueError(
                f"{where}: the model's {what} has shape {shape} a step, and events have a place in (p, h, w) or (n,). "
                "Call the network with a raster or a sparse COO tensor instead."
            )
        return cls(*((1, 1, *shape) if len(shape) == 1 else shape))

    def faults(self, events: Slice) -> list[Fault]:
        """Events outside."""
        limits = {"x": self.width, "y": self.height, "p": self.channels}
        sensor = f"the sensor has (p, h, w) = ({self.channels}, {self.height}, {self.width})"
        columns = {name: getattr(events, name) for name in limits}
        return [
            Fault(
                name,
                (column < 0) | (column >= limits[name]),
                f"expected 0 to {limits[name] - 1}: {sensor}",
            )
            for name, column in columns.items()
            if len(column) and (column.min() < 0 or column.max() >= limits[name])
        ]

    def neuron_of(self, events: Slice) -> Ints:
        """The neuron of each event within a step, as PyTorch counts them; the events lie inside."""
        neuron: Ints = (events.p * self.height + events.y) * self.width + events.x
        return neuron

    def events(self, t_us: Ints, neuron: Ints) -> Events:
        """Events of these neurons at these times."""
        row, x = np.divmod(neuron, self.width)
        p, y = np.divmod(row, self.height)
        return Events(*(torch.from_numpy(np.ascontiguousarray(c)) for c in (t_us, x, y, p)))


def joined(parts: list[Events]) -> Events:
    """One after the other."""
    none = torch.zeros(0, dtype=torch.int64)
    columns: list[tuple[Tensor, ...]] = list(zip(*parts, strict=True)) if parts else [(none,)] * 4
    return Events(*(torch.cat(column) for column in columns))
