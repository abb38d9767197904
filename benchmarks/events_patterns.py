"""A first layer with few input channels, three ways: PyTorch, event by event, and by sums of patterns of spikes.

    python -m benchmarks.events_patterns [--quick]

The first layer of the seed's LeNet, of one channel and of two, one thread, in turns. Weights are so small that few neurons fire, as in
trained nets: what is measured is how spikes get in. Times are of whole calls from rest, and of the kernel alone.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import picojoule
import picojoule.layers as pl
from benchmarks.allocator import keep_freed_memory
from benchmarks.record import RESULTS, surroundings
from picojoule import events
from picojoule.events.engine import Engine
from picojoule.events.program import NEVER

RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
SIZES = ((16, 50), (16, 5), (1, 50), (1, 5))
ROUNDS = 25
WEIGHTS = 0.1  # of the usual ones


Call = tuple[Callable[[], object], Callable[[], object]]  # what comes first, and what is timed


def compiled(model: nn.Module, x: Tensor, spikes: int) -> tuple[Call, Call]:
    """A call from rest, and the kernel alone, that takes sums of patterns from so many spikes of a step on."""

    def set_limits(engine: Engine) -> None:
        engine.limits.fill_(math.inf)
        engine.limits_of_frames.fill_(math.inf)
        engine.patterns_from.fill_(spikes)

    network = events.compile(model, x)
    with mock.patch("picojoule.events.network.set_limits", set_limits):
        network(x)
    (engine,) = network._engines.values()
    everything = torch.arange(engine.batch)

    def kernel() -> None:
        engine.program.start()
        engine.program.run(0, everything)

    return (network.reset, partial(network, x)), (network.reset, kernel)


def measured(channels: int, batch: int, steps: int, rate: float, rounds: int) -> dict[str, float]:
    """Median seconds of each way."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(channels, 16, 5, bias=False), pl.IAFSqueeze(batch_size=batch))
    with torch.no_grad():
        model[0].weight.mul_(WEIGHTS)
    x = (torch.rand(batch * steps, channels, 28, 28) < rate).float()

    def densely() -> None:
        with torch.inference_mode():
            model(x)

    calls: dict[str, Call] = {"PyTorch": (partial(picojoule.reset_states, model), densely)}
    for name, spikes in (("events", NEVER), ("patterns", 0)):
        calls[name], calls[f"{name}, kernel"] = compiled(model, x, spikes)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, (reset, call) in calls.items():
            reset()
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in times.items()}


def main(quick: bool, result: Path) -> None:
    """Measure in turns, print, write."""
    keep_freed_memory()
    torch.set_num_threads(1)
    record = {**surroundings(), "rows": []}
    table = Table(title="A 5x5 layer of 16 channels on 28x28, microseconds a step")
    for column in ("channels", "batch", "steps", "activity"):
        table.add_column(column, justify="right")
    for channels in (1, 2):
        for batch, steps in SIZES[:1] if quick else SIZES:
            for rate in RATES:
                seconds = measured(channels, batch, steps, rate, 5 if quick else ROUNDS)
                if not record["rows"]:
                    for name in seconds:
                        table.add_column(name, justify="right")
                row = {"channels": channels, "batch": batch, "steps": steps, "activity": rate}
                record["rows"].append({**row, "median_s": seconds})
                shown = (f"{1e6 * each / batch / steps:.2f}" for each in seconds.values())
                table.add_row(str(channels), str(batch), str(steps), f"{rate:.0%}", *shown)
    Console().print(table)
    if not quick:
        result.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, no file")
    parser.add_argument("--result", type=Path, default=RESULTS / "events_patterns.json")
    arguments = parser.parse_args()
    main(arguments.quick, arguments.result)
