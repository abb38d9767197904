"""A stand-in for asynchronous hardware: spikes of a time step reach the neurons one after the other, in random order.

Each layer empties its queue before the next one does (breadth-first). A neuron fires as soon as it reaches its threshold,
on part of what comes in the step; what comes later cannot take the spike back. For sequential networks of convolutions,
linear layers, sum pooling and IAF neurons without bias, whose threshold is one number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

from picojoule.layers import IAF, FlattenTime, SumPool2d, UnflattenTime

Events = Any  # a vector of indices into the flattened frame, in the order in which they come


class EventRun(NamedTuple):
    """What came of some samples.

    Args:
        spikes: of the last layer, `b c`.
        left: in its potential, in thresholds, `b c`.
        synops: per sample, over all layers.
    """

    spikes: Tensor
    left: Tensor
    synops: float


def run_event_by_event(model: nn.Sequential, frames: Tensor, seed: int = 0) -> EventRun:
    """The answers of a network to frames, `b t c h w` of whole numbers, spike by spike.

    Args:
        model: the network.
        frames: spikes.
        seed: of the order of the spikes of a step.
    """
    order = np.random.default_rng(seed)
    spikes, left, synops = list[Any](), list[Any](), 0
    for frame in frames:
        events = _events(frame.flatten(1).long().numpy(), order)
        shape: tuple[int, ...] = tuple(frame.shape[1:])
        potential = np.zeros(0, np.float32)
        weights: nn.Conv2d | nn.Linear | None = None
        threshold = 1.0
        for layer in model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert layer.bias is None
                weights = layer
            elif isinstance(layer, SumPool2d):
                events, shape = _pooled(events, shape, layer)
            elif isinstance(layer, IAF):
                assert weights is not None
                threshold = float(layer.spike_threshold)  # type: ignore[arg-type]
                events, potential, shape, more = _through(events, shape, weights, threshold)
                synops += more
            else:
                assert isinstance(layer, FlattenTime | UnflattenTime | nn.Flatten), layer
        spikes.append(np.bincount(events, minlength=potential.size))
        left.append(potential / threshold)
    return EventRun(
        torch.from_numpy(np.stack(spikes)).float(),
        torch.from_numpy(np.stack(left)),
        synops / len(frames),
    )


def _events(counts: Any, order: np.random.Generator) -> Events:
    each = [np.repeat(np.arange(step.size), step) for step in counts]
    return np.concatenate([order.permutation(step) for step in each])


def _pooled(
    events: Events, shape: tuple[int, ...], layer: SumPool2d
) -> tuple[Events, tuple[int, ...]]:
    size = int(np.ravel(layer.kernel_size)[0])
    channels, height, width = shape
    channel, rest = np.divmod(events, height * width)
    y, x = np.divmod(rest, width)
    y, x, height, width = y // size, x // size, height // size, width // size
    inside = (y < height) & (x < width)
    pooled = (channel * height + y) * width + x
    return pooled[inside], (channels, height, width)


def _through(
    events: Events, shape: tuple[int, ...], layer: nn.Conv2d | nn.Linear, threshold: float
) -> tuple[Events, Any, tuple[int, ...], int]:
    weight = layer.weight.detach().numpy()
    if isinstance(layer, nn.Linear):
        shape, weight = (int(np.prod(shape)), 1, 1), weight[:, :, None, None]
    kernel = weight.shape[2:]
    out = (weight.shape[0], shape[1] - kernel[0] + 1, shape[2] - kernel[1] + 1)
    scattered = np.ascontiguousarray(weight.transpose(1, 2, 3, 0))
    fired, potential, synops = _integrate(events, scattered, shape[1], shape[2], out, threshold)
    return fired, potential, out, synops


@njit(cache=True)  # type: ignore[untyped-decorator]
def _integrate(
    events: Any, weight: Any, height: int, width: int, out: tuple[int, int, int], threshold: float
) -> Any:
    """IAF neurons with a subtractive reset, updated at each event; spikes in the order in which they are fired."""
    channels, out_height, out_width = out
    potential = np.zeros((out_height, out_width, channels), np.float32)
    fired = np.empty(1024, np.int64)
    count, synops = 0, 0
    for event in events:
        channel, rest = event // (height * width), event % (height * width)
        y, x = rest // width, rest % width
        for ky in range(weight.shape[1]):
            to_y = y - ky
            if to_y < 0 or to_y >= out_height:
                continue
            for kx in range(weight.shape[2]):
                to_x = x - kx
                if to_x < 0 or to_x >= out_width:
                    continue
                synops += channels
                for c in range(channels):
                    potential[to_y, to_x, c] += weight[channel, ky, kx, c]
                    while potential[to_y, to_x, c] >= threshold:
                        potential[to_y, to_x, c] -= threshold
                        if count == fired.size:
                            longer = np.empty(2 * fired.size, np.int64)
                            longer[:count] = fired
                            fired = longer
                        fired[count] = (c * out_height + to_y) * out_width + to_x
                        count += 1
    return fired[:count], potential.transpose(2, 0, 1).copy().reshape(-1), synops
