"""A trained network event by event beside PyTorch, on all test images: each spike, each SynOp.

    python -m benchmarks.events_on_test_images RUN [RUN ...] [--result FILE]

RUN is a folder of `picojoule train` with its default network. Two questions:

- As trained, each weighted layer and its neurons get PyTorch's spikes. Sums are taken in another order, so spikes may differ where a
  potential comes within a rounding of its threshold: how many do, and how near were they?
- With weights rounded to multiples of 2^-8 all sums are exact: are the outputs of the whole network equal, and SynOps of each layer?
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

import picojoule
from benchmarks.near_thresholds import differences
from benchmarks.record import RESULTS, surroundings
from picojoule import events
from picojoule.training.samples.run_data import load_run_data

BATCH = 20  # its SynOps are whole numbers that float32 holds


def layer_by_layer(model: nn.Sequential, frames: Tensor, found: dict[str, Any]) -> None:
    """Add what a batch shows, `b t c h w`, of each layer with weights."""
    picojoule.reset_states(model)
    x = frames
    for k, layer in enumerate(model):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            seen = differences(nn.Sequential(layer, model[k + 1]), x, len(frames))
            row = found.setdefault(str(k), {"spikes": 0, "differ": 0, "roundings": 0.0})
            row["spikes"] += seen.spikes
            row["differ"] += seen.differ
            row["roundings"] = max([row["roundings"], *seen.distances])
            picojoule.reset_states(model)
        with torch.no_grad():
            x = layer(x)


def in_256ths(model: nn.Sequential) -> nn.Sequential:
    """A copy whose weights are multiples of 2^-8."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        for layer in made:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.copy_((layer.weight * 256).round() / 256)
    return made


def synops(report: picojoule.Report) -> dict[str, int]:
    """SynOps of each layer in a batch."""
    return {
        row.name: round(row.synops_per_sample * report.samples)
        for row in report.rows
        if row.synops_per_sample is not None
    }


def one_run(folder: Path) -> dict[str, Any]:
    """What all test images of a run show."""
    run = picojoule.load(folder)
    model: Any = run.model
    data = load_run_data(run.config).test
    picojoule.set_batch_size(model, BATCH)
    exact = in_256ths(model)
    monitor, network = picojoule.Monitor(exact), None
    layers, images, layers_of_batches = dict[str, Any](), 0, 0
    for start in range(0, len(data) // BATCH * BATCH, BATCH):
        frames = torch.stack([data[k][0] for k in range(start, start + BATCH)])
        layer_by_layer(model, frames, layers)
        network = network or events.compile(exact, frames)
        network.reset()
        network.reset_count()
        picojoule.reset_states(exact)
        with torch.no_grad(), monitor:
            expected = exact(frames)
        images += int((network(frames) == expected).flatten(1).all(1).sum())
        counted, delivered = synops(monitor.report()), synops(network.report())
        layers_of_batches += sum(delivered[name] != count for name, count in counted.items())
    return {
        "images": len(data) // BATCH * BATCH,
        "as trained, by layer": layers,
        "in 256ths": {
            "images whose outputs are equal": images,
            "layers of a batch whose SynOps differ": layers_of_batches,
        },
    }


def main(folders: list[Path], result: Path) -> None:
    """Measure, print, write."""
    record = {**surroundings(), "runs": {folder.name: one_run(folder) for folder in folders}}
    Console().print_json(json.dumps(record["runs"]))
    result.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--result", type=Path, default=RESULTS / "events_on_test_images.json")
    given = parser.parse_args()
    main(given.runs, given.result)
