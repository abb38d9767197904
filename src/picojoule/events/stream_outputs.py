"""What a stream gives out: spikes as events, or values as a raster."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.data.events import Events
from picojoule.events.inputs.clock import Clock
from picojoule.events.inputs.sensor import Sensor, joined
from picojoule.events.inputs.step_events import StepEvents
from picojoule.events.signals import Signal

MOST_BYTES = 2**31  # of the raster that one call gives


class Spikes:
    """Events, until they are taken.

    Args:
        sensor: their places.
        clock: their times.
    """

    fires = True

    def __init__(self, sensor: Sensor, clock: Clock) -> None:
        self._sensor, self._clock = sensor, clock
        self.forget()

    def forget(self) -> None:
        """Nothing is there."""
        self._events: list[Events] = []

    def check(self, steps: int, where: str) -> None:
        """Any number of steps is fine."""

    def add(self, given_out: StepEvents, steps: range) -> None:
        """What these steps gave out."""
        if len(given_out.step):
            counts = torch.from_numpy(given_out.value).round().long()
            t_us = self._clock.start_us + (given_out.step + steps.start) * self._clock.dt_us
            once = self._sensor.events(t_us, given_out.neuron)
            self._events.append(Events(*(column.repeat_interleave(counts) for column in once)))

    def repeat(self, steps: int) -> None:
        """So many steps more, in which nothing fires."""

    def taken(self) -> Events:
        """All that was there."""
        events, self._events = self._events, []
        return joined(events)


class Values:
    """Values of every step, until they are taken.

    Args:
        signal: what gives them out.
    """

    fires = False

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self.forget()

    def forget(self) -> None:
        """Nothing is there, and before the first step there was nothing."""
        self._steps: list[Tensor] = []
        self._last = torch.zeros(1, *self._signal.shape, dtype=torch.float32)

    def check(self, steps: int, where: str) -> None:
        """Raise ValueError if so many steps are too many for one raster; `where` starts and ends the message."""
        size = steps * self._signal.neurons * 4
        if size > MOST_BYTES:
            begin, _, end = where.partition(": ")
            raise ValueError(
                f"{begin}: the model ends in values, which come out in every step, and those of {steps} steps take "
                f"{size / 2**30:.1f} GiB. Run up to there in parts, by flush(until_us), or choose a longer dt_us. {end}"
            )

    def add(self, given_out: StepEvents, steps: range) -> None:
        """What these steps gave out."""
        raster = torch.zeros(len(steps), self._signal.neurons, dtype=torch.float32)
        raster.numpy()[given_out.step, given_out.neuron] = given_out.value
        self._steps.append(raster.reshape(-1, *self._signal.shape))
        self._last = self._steps[-1][-1:].clone()

    def repeat(self, steps: int) -> None:
        """So many steps more, with the values of the last one."""
        if steps > 0:
            self._steps.append(self._last.expand(steps, *self._signal.shape))

    def taken(self) -> Tensor:
        """All that was there, `t *m`."""
        steps, self._steps = self._steps, []
        return torch.cat([self._last[:0], *steps])


def output_of(signal: Signal, clock: Clock, where: str) -> Spikes | Values:
    """What a signal is given out as.

    Raises:
        ValueError: it spikes, and has a shape of which events have no place.
    """
    if not signal.is_spikes:
        return Values(signal)
    return Spikes(Sensor.of(signal.shape, where, "output"), clock)
