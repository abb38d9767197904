"""A tenth of the SynOps, and less, and what that costs in accuracy: a spiking LeNet on the bundled images.

Trains the network free, and under limits on what training can change: layers 4, 7 and 10 together. Prints what came of it and
draws accuracy over SynOps. Six minutes on two cores:

    python examples/a_tenth_of_the_synops.py --out runs/a_tenth

Why it works: a spike costs as many SynOps as it has synapses. `picojoule train` takes the weakest connections away while the limit
comes down, so that the spikes that are left say more for less.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from picojoule.plots import FrontierMark, plot_frontier
from picojoule.training import Measurement, Quiet, TrainConfig, pareto_front, train

LAYERS = ("4", "7", "10")
LIMITS = (16_000, 8_000, 4_000, 2_000)
TITLE = "SynOps of layers 4, 7 and 10 per time step"


def measured(config: TrainConfig, folder: Path) -> Measurement:
    """One network on the test images."""
    return train(config, folder, Quiet(), compare=False, overwrite=True).budget.trained


def side_by_side(
    configs: list[TrainConfig], folders: list[Path], jobs: int
) -> Iterator[Measurement]:
    """All networks, so many at once with a core each: a second core makes so small a network hardly faster."""
    if jobs == 1:
        yield from map(measured, configs, folders)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        yield from pool.map(measured, configs, folders)


def main(
    out: Path,
    epochs: int,
    limits: tuple[int, ...] = LIMITS,
    data: str | None = None,
    jobs: int = 1,
) -> list[Measurement]:
    """The free network and one for each limit; prints the table and draws the picture."""
    free = TrainConfig(epochs=epochs, data=data)
    bound = [
        replace(free, groups={"hidden": LAYERS}, synops_per_timestep={"hidden": float(limit)})
        for limit in limits
    ]
    folders = [out / name for name in ("free", *map(str, limits))]
    results = []
    for folder, result in zip(folders, side_by_side([free, *bound], folders, jobs), strict=True):
        results.append(result)
        print(f"{folder.name}: {result.accuracy:.2%}", flush=True)
    names = ["none", *(f"{limit:,}" for limit in limits)]
    spent = [result.synops_of(LAYERS) for result in results]
    table = Table(title=TITLE)
    for column in ("limit", "spent", "of the free network's", "accuracy"):
        table.add_column(column, justify="right")
    for name, used, result in zip(names, spent, results, strict=True):
        table.add_row(name, f"{used:,.0f}", f"{used / spent[0]:.1%}", f"{result.accuracy:.2%}")
    Console().print(table)
    accuracies = [result.accuracy for result in results]
    front = pareto_front(spent, accuracies)
    marks = [
        FrontierMark(name, used, accuracy, on_front=k in front, limit=limit)
        for k, (name, used, accuracy, limit) in enumerate(
            zip(names, spent, accuracies, (None, *limits), strict=True)
        )
    ]
    plot_frontier(marks, out / "frontier.png", unit=TITLE)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/a_tenth"))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="networks at once")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    main(arguments.out, arguments.epochs, jobs=arguments.jobs or 1)
