"""A SynOp saved is time saved: a LeNet trained to a tenth of its SynOps, event by event, beside the free one in PyTorch.

    python -m benchmarks.events_trained [--out runs/events_trained]

Both by `picojoule train` and its defaults on the bundled images (6 epochs, seed 1), the second with a limit on layers 4, 7 and 10
together of a tenth of what the first spends there. Accuracy is that of the official test images, by the run's readout,
from the outputs and states of whoever ran. Times are of batches of 16 and of 1, in turns, with one thread and two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import picojoule
from benchmarks.allocator import keep_freed_memory
from benchmarks.record import RESULTS, cores, surroundings
from picojoule import events
from picojoule.data import RateCoded, load_images
from picojoule.training import Quiet, TrainConfig, train

LAYERS = ("4", "7", "10")
SHARE = 0.1
BATCHES, ROUNDS = (16, 1), 40
FREE, BOUND = "free, in PyTorch", "a tenth of the SynOps, event by event"


def runs(out: Path) -> tuple[Path, Path]:
    """The folders of both, trained where they are missing."""
    free, bound = out / "free", out / "tenth"
    config = TrainConfig()
    if not (free / "report.json").exists():
        train(config, free, Quiet(), compare=False, overwrite=True)
    spent = json.loads((free / "report.json").read_text())["trained"]["synops_per_timestep"]
    limit = SHARE * sum(spent[name] for name in LAYERS)
    if not (bound / "report.json").exists():
        groups = {"hidden": LAYERS}
        limited = TrainConfig(groups=groups, synops_per_timestep={"hidden": limit})
        train(limited, bound, Quiet(), compare=False, overwrite=True)
    return free, bound


def densely(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """A call of the model from rest: its scores, `b c`."""
    last: Any = [
        part for part in model.modules() if isinstance(part, picojoule.layers.StatefulLayer)
    ][-1]

    def call(frames: Tensor) -> Tensor:
        picojoule.reset_states(model)
        with torch.inference_mode():
            output = model(frames)
        return output.sum(1) + last.v_mem

    return call


def by_events(model: nn.Module, sample: Tensor) -> Callable[[Tensor], Tensor]:
    """The same event by event."""
    network = events.compile(model, sample)
    last = network.graph.stages[-1].name

    def call(frames: Tensor) -> Tensor:
        network.reset()
        output = network(frames)
        return output.sum(1) + network.states(last)[last]["v_mem"]

    return call


STEPS = TrainConfig().num_timesteps


def accuracy(call: Callable[[Tensor], Tensor], data: RateCoded, batch: int) -> float:
    """Share of the test images that are answered right."""
    right = 0
    for start in range(0, len(data) - batch + 1, batch):
        frames, labels = zip(*data.__getitems__(list(range(start, start + batch))), strict=True)
        scores = call(torch.stack(frames))
        right += int((scores.argmax(1) == torch.tensor(labels)).sum())
    return right / (len(data) // batch * batch)


def medians(calls: dict[str, Callable[[Tensor], Tensor]], frames: list[Tensor]) -> dict[str, float]:
    """Seconds of a call, on other images each round, in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for given in frames:
        for name, call in calls.items():
            began = time.perf_counter()
            call(given)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(each[2:]) for name, each in times.items()}


def main(out: Path, result: Path) -> None:
    """Train what is missing, measure, print, write."""
    keep_freed_memory()
    about = surroundings()
    free, bound = (picojoule.load(folder) for folder in runs(out))
    images, labels = load_images().test
    data = RateCoded(images, labels, STEPS, free.config.pixel_rate, redrawn=False)
    sample = torch.stack([data[k][0] for k in range(16)])
    for run in (free, bound):
        picojoule.set_batch_size(run.model, 16)
    calls = {FREE: densely(free.model), BOUND: by_events(bound.model, sample)}
    record: dict[str, Any] = {
        **about,
        "accuracy": {name: accuracy(call, data, 16) for name, call in calls.items()},
    }
    table = Table(title=f"LeNet on the bundled images, T={STEPS}, milliseconds a call")
    for column in ("threads", "batch", FREE, BOUND, "times as fast"):
        table.add_column(column, justify="right")
    record["rows"] = []
    for threads in sorted({1, min(2, cores())}):
        torch.set_num_threads(threads)
        for batch in BATCHES:
            for run in (free, bound):
                picojoule.set_batch_size(run.model, batch)
            calls = {
                FREE: densely(free.model),
                BOUND: by_events(bound.model, sample[:batch]),
            }
            frames = [
                torch.stack([data[(k * batch + i) % len(data)][0] for i in range(batch)])
                for k in range(ROUNDS)
            ]
            seconds = medians(calls, frames)
            ratio = seconds[FREE] / seconds[BOUND]
            record["rows"].append(
                {"threads": threads, "batch": batch, "median_s": seconds, "ratio": ratio}
            )
            shown = (f"{1e3 * seconds[FREE]:.2f}", f"{1e3 * seconds[BOUND]:.2f}", f"{ratio:.1f}")
            table.add_row(str(threads), str(batch), *shown)
    record["synops_per_timestep"] = {
        name: run.report["trained"]["synops_per_timestep"]
        for name, run in ((FREE, free), (BOUND, bound))
        if run.report
    }
    console = Console()
    console.print(table)
    for name, share in record["accuracy"].items():
        console.print(f"{name}: {share:.2%} of the test images", highlight=False)
    result.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/events_trained"))
    parser.add_argument("--result", type=Path, default=RESULTS / "events_trained.json")
    arguments = parser.parse_args()
    main(arguments.out, arguments.result)
