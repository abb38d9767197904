"""What it costs to watch networks that are loops over time in Python: many calls of functions on small tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.cases import Case, Step, Work
from benchmarks.implementations import Implementation
from benchmarks.networks import SPIKE_RATE
from benchmarks.watchers import WATCHERS

OUTPUTS = 10


class SnnTorchLoop(nn.Module):
    """Two layers, as in snnTorch's tutorials: the model makes the time steps."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        import snntorch

        self.fc1, self.lif1 = nn.Linear(inputs, hidden), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(hidden, OUTPUTS), snntorch.Leaky(beta=0.9)

    def forward(self, frames: Tensor) -> Tensor:
        """`t b inputs -> t b outputs`."""
        mem1, mem2, outputs = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for frame in frames:
            spikes, mem1 = self.lif1(self.fc1(frame), mem1)
            output, mem2 = self.lif2(self.fc2(spikes), mem2)
            outputs.append(output)
        return torch.stack(outputs)


class NorseLSNN(nn.Module):
    """Norse's recurrent adaptive neurons, whose step is some thirty functions, and a readout."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        import norse.torch

        self.neurons, self.readout = (
            norse.torch.LSNNRecurrent(inputs, hidden),
            nn.Linear(hidden, OUTPUTS),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """`t b inputs -> t b outputs`."""
        spikes, _ = self.neurons(frames)
        return self.readout(spikes)


LOOPS: dict[str, Callable[[int, int], nn.Module]] = {"snnTorch": SnnTorchLoop, "Norse": NorseLSNN}


def loop_step(
    implementation: Implementation, batch: int, time: int, inputs: int, hidden: int
) -> Step:
    """Forward and backward pass of a library's loop, watched or not."""
    library = implementation.name.partition(",")[0]
    model: Any = LOOPS[library](inputs, hidden)
    frames = (torch.rand(time, batch, inputs) < SPIKE_RATE).float()
    if implementation.watched:
        model, _ = WATCHERS[implementation.watched](implementation, model)

    def step() -> None:
        model.zero_grad()
        model(frames).sum().backward()

    return step


def plain_and_watched(implementations: Sequence[Implementation]) -> list[Implementation]:
    """The libraries that have such loops, each beside itself."""
    loops = [each for each in implementations if each.name in LOOPS]
    return [row for each in loops for row in (each, each.when_watched("Monitor"))]


def sized(batch: int, inputs: int, hidden: int, time: int = 50, **options: bool) -> Case:
    """A batch and a network of this size."""
    build = partial(loop_step, batch=batch, time=time, inputs=inputs, hidden=hidden)
    return Case(f"B={batch} {inputs}-{hidden} T={time}", build, time, **options)


SMALL_CALLS = Work(
    "small_calls",
    "forward and backward pass of other libraries' loops over time, plain and under a Monitor",
    ("tests/synops",),
    (sized(32, 100, 100, quick=True), sized(128, 784, 256)),
    rows=plain_and_watched,
    seconds=24.0,
)
