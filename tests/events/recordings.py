"""Recordings and networks for streams: small, exact, and of every way to behave in silence."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from picojoule import layers
from picojoule.activation import SingleSpike
from picojoule.data import Events, events_to_frames
from tests.events.networks import HALVED, on_grid

SIZE = 2, 5, 6  # p, h, w
DT_US = 10
STREAMED: dict[str, Callable[[], nn.Module]] = {
    "integrate and fire": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        layers.IAFSqueeze(batch_size=1),
        layers.SumPool2d(2),
        nn.Conv2d(4, 3, 2, bias=False),
        layers.IAFSqueeze(batch_size=1),
    ),
    "spikes to come in silence": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        layers.IAFSqueeze(batch_size=1, spike_fn=SingleSpike),
        nn.Flatten(),
        nn.Linear(48, 5, bias=False),
        layers.IAFSqueeze(batch_size=1, spike_fn=SingleSpike),
    ),
    "leak": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False),
        layers.LIFSqueeze(tau_mem=HALVED, norm_input=False, spike_threshold=0.25, batch_size=1),
        nn.Flatten(),
        nn.Linear(36, 4, bias=False),
        layers.LIFSqueeze(tau_mem=HALVED, tau_syn=HALVED, norm_input=False, spike_threshold=0.25, batch_size=1),
    ),
    "bias": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3), layers.IAFSqueeze(batch_size=1), nn.Conv2d(3, 2, 1), layers.IAFSqueeze(batch_size=1)
    ),
    "recurrent": lambda: nn.Sequential(
        nn.Flatten(),
        nn.Linear(60, 6, bias=False),
        layers.IAFRecurrentSqueeze(rec_connect=nn.Linear(6, 6, bias=False), batch_size=1),
    ),
}  # fmt: skip


def streamed(name: str) -> nn.Module:
    """A network for a sensor of SIZE, exact."""
    return on_grid(STREAMED[name]())


def sample() -> Tensor:
    """An input of its shape."""
    return torch.zeros(4, *SIZE)


def recording(number: int, steps: int, seed: int = 0, *, bursts: bool = True) -> Events:
    """Events in the order of time, half of them in a third of the time."""
    draws = torch.Generator().manual_seed(seed)
    until_us = torch.where(
        torch.rand(number, generator=draws) < 0.5, steps * DT_US, steps * DT_US // 3
    )
    share = torch.rand(number, generator=draws)
    t_us = (share * (until_us if bursts else steps * DT_US)).long().sort().values
    p, y, x = (torch.randint(size, (number,), generator=draws) for size in SIZE)
    return Events(t_us, x, y, p)


def raster(events: Events, steps: int, size: tuple[int, ...] = SIZE, start_us: int = 0) -> Tensor:
    """The dense raster of events, `t *n`."""
    window_us = start_us, start_us + steps * DT_US
    return events_to_frames(events, steps, size, window_us=window_us)


def cut(events: Events, *places: int) -> list[Events]:
    """Pieces between these places."""
    ends = [0, *sorted(places), len(events.t_us)]
    return [Events(*(c[a:b] for c in events)) for a, b in pairwise(ends)]
