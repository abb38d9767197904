"""What asynchronous execution does to trained networks, in each order and with each leak, and what training for it gains.

    python -m benchmarks.events_gap [--epochs 6] [--samples 500] [--seeds 2] [--out FILE]

Three networks, each trained by `picojoule.training.train` with the same and with random time steps per stage, from several
seeds: the LeNet on the bundled images, the same on events of a moving camera before them, and the recurrent network on
images row by row. Then `picojoule.events.gap` on test samples. What is in the result file is not run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, get_args

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import picojoule
from benchmarks.record import RESULTS, surroundings
from picojoule.data import load_images
from picojoule.events import ChipLimits, gap
from picojoule.events.orders import Leak, Order
from picojoule.training import Quiet, TrainConfig, train
from picojoule.training.samples.run_data import load_run_data
from picojoule.training.settings.config import TimeStepsPerStage

HIDDEN = ("4", "7", "10")
NETWORKS: dict[str, dict[str, Any]] = {
    "LeNet, images": {"groups": {"hidden": HIDDEN}, "synops_per_timestep": {"hidden": 4_650.0}},
    "LeNet, saccades": {
        "data": "saccade",
        "num_timesteps": 6,
        "groups": {"hidden": HIDDEN},
        "synops_per_timestep": {"hidden": 4_650.0},
    },
    "recurrent, rows": {"model": "recurrent", "data": f"{__file__}:rows"},
}
CHIP = ChipLimits(weight_bits=8, state_bits=16, one_threshold_per_layer=True)


class Rows:
    """Images row by row: each row is a time step, a pixel fires with its brightness; the same spikes each time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index].float().reshape(28, 28) / 255
        noise = torch.rand(28, 28, generator=torch.Generator().manual_seed(index))
        return (noise < image).float(), int(self.labels[index])


def rows() -> tuple[Rows, Rows]:
    """Training and test images."""
    training, test = load_images()
    return Rows(*training), Rows(*test)


def figures(config: TrainConfig, samples: int) -> dict[str, Any]:
    """Train a network, and what each order and leak makes of its answers."""
    with tempfile.TemporaryDirectory() as folder:
        train(config, folder, Quiet(), compare=False)
        run = picojoule.load(folder)
    test = load_run_data(config).test
    which = torch.linspace(0, len(test) - 1, samples).round().long().tolist()
    data = [test[index] for index in which]
    found: dict[str, Any] = {}
    for order, leak in product(get_args(Order), get_args(Leak)):
        limits = CHIP if (order, leak) == ("depth", "tick") else ChipLimits()
        try:
            made = gap(
                run.model,
                data,
                order=order,
                leak=leak,
                limits=limits,
                readout=config.readout,
                weights=config.weights,
            )
        except RuntimeError as error:  # a recurrent layer that makes itself fire without end
            found[f"{order}, {leak}"] = {"failed": str(error)}
        else:
            found[f"{order}, {leak}"] = made.to_dict()["rows"]
    return found


def main() -> None:
    """Run what is missing in the result file, and print all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "events_gap.json")
    asked = parser.parse_args()
    saved = json.loads(asked.out.read_text()) if asked.out.exists() else {"runs": {}}
    sized = f"{asked.epochs} epochs, {asked.samples} samples"
    for seed, name, steps in product(
        range(1, asked.seeds + 1), NETWORKS, get_args(TimeStepsPerStage)
    ):
        key = _key(name, steps, sized, seed)
        if key not in saved["runs"]:
            options = NETWORKS[name]
            config = TrainConfig(
                epochs=asked.epochs, seed=seed, time_steps_per_stage=steps, **options
            )
            saved["runs"][key] = figures(config, asked.samples)
            saved |= surroundings()
            asked.out.write_text(json.dumps(saved, indent=1) + "\n")
        _show(key, saved["runs"][key])
    for name, steps in product(NETWORKS, get_args(TimeStepsPerStage)):
        keys = [_key(name, steps, sized, seed) for seed in range(1, asked.seeds + 1)]
        _show_all(f"{name}, {steps} steps", [saved["runs"][key] for key in keys])


def _key(name: str, steps: str, sized: str, seed: int) -> str:
    return f"{name}, {steps} steps, {sized}, seed {seed}"


def _show_all(title: str, runs: list[dict[str, Any]]) -> None:
    """Mean and range over seeds, of the first row (PyTorch's steps) and the last (all that is switched on)."""
    table = Table(title=f"{title}: mean, least and most of {len(runs)} seeds")
    for column in ("order, leak", "in steps", "as a chip does it"):
        table.add_column(column)
    for how in runs[0]:
        ran = [run[how] for run in runs if "failed" not in run[how]]
        ends = [[rows[at]["accuracy"] for rows in ran] for at in (0, -1)] if ran else []
        table.add_row(how, *(f"{mean(x):.1%}, {min(x):.1%} to {max(x):.1%}" for x in ends))
    Console().print(table)


def _show(title: str, found: dict[str, Any]) -> None:
    table = Table(title=title)
    for column in ("order, leak", "switched on", "accuracy", "spikes", "SynOps"):
        table.add_column(column)
    for how, gap_rows in found.items():
        if "failed" in gap_rows:
            table.add_row(how, gap_rows["failed"])
            continue
        for row in gap_rows:
            counts = f"{row['spikes_per_sample']:,.0f}", f"{row['synops_per_sample']:,.0f}"
            table.add_row(how, row["cause"], f"{row['accuracy']:.1%}", *counts)
    Console().print(table)


if __name__ == "__main__":
    main()
