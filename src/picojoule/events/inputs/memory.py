"""Events into the memory that the kernels read, and out of it."""

from __future__ import annotations

import numpy as np

from picojoule.events.inputs.step_events import StepEvents
from picojoule.events.program import EventBuffer


def write_events(buffer: EventBuffer, sample: int, events: StepEvents) -> None:
    """Write a sample's events; their steps count from the buffer's first."""
    steps, number = buffer.offsets.shape[1] - 1, len(events.step)
    signal = buffer.signal
    assert number <= buffer.capacity
    assert number == 0 or (events.neuron.min() >= 0 and events.neuron.max() < signal.neurons)
    assert number == 0 or (events.step[0] >= 0 and events.step[-1] < steps)
    minor = signal.positions if signal.channels_first else signal.channels
    major = events.neuron // minor
    rest = events.neuron - major * minor
    position, channel = (rest, major) if signal.channels_first else (major, rest)
    buffer.positions[sample].numpy()[:number] = position
    buffer.channel[sample].numpy()[:number] = channel
    buffer.values[sample].numpy()[:number] = events.value
    buffer.offsets[sample].numpy()[:] = np.searchsorted(events.step, np.arange(steps + 1))


def read_events(buffer: EventBuffer, sample: int) -> StepEvents:
    """A sample's events, whatever order they were written in."""
    signal, offsets = buffer.signal, buffer.offsets[sample].numpy()
    number = int(offsets[-1])
    position = buffer.positions[sample].numpy()[:number].astype(np.int64)
    channel = buffer.channel[sample].numpy()[:number].astype(np.int64)
    if signal.channels_first:
        neuron = channel * signal.positions + position
    else:
        neuron = position * signal.channels + channel
    step = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((neuron, step))
    return StepEvents(step[order], neuron[order], buffer.values[sample].numpy()[:number][order])
