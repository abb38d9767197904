"""What training with random time steps per stage gains where spikes do not come in steps: LeNet on the bundled images.

    python -m benchmarks.mixed_time_steps [--epochs 6] [--seeds 1 2 3] [--limits 0 60000] [--images 2000] [--out FILE]

Each network is trained by `picojoule.training.train` with its defaults, once with the same and once with random time steps.
Then it answers the test images with the usual steps, with the same spikes over other numbers of steps, and spike by spike
(`benchmarks.event_by_event`), a stand-in for asynchronous hardware. What is in the result file is not run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import picojoule
from benchmarks.event_by_event import run_event_by_event
from benchmarks.record import RESULTS, surroundings
from picojoule.layers.retime import retimed
from picojoule.training import LoadedRun, Quiet, TrainConfig, train
from picojoule.training.samples.run_data import load_run_data

OTHER_STEPS = (1, 2, 10, 20, 50)
_ORDERS = (0, 1, 2)
_AT_ONCE = 200


def figures(config: TrainConfig, images: int) -> dict[str, Any]:
    """Train a network, and read off what it answers in time steps and without.

    Args:
        config: of the run.
        images: of the test set.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        trained = train(config, folder, Quiet(), compare=False).budget.trained
        seconds = time.perf_counter() - began
        run = picojoule.load(folder)
    data = load_run_data(config).test
    samples = [data[index] for index in range(images)]
    frames = torch.stack([frame for frame, _ in samples]).float()
    labels = torch.tensor([int(label) for _, label in samples])
    found: dict[str, Any] = {"train_s": round(seconds), "accuracy_all_images": trained.accuracy}
    found["usual_steps"], found["synops_per_sample"] = _stepped(run, frames, labels)
    for steps in OTHER_STEPS:
        spread = retimed(frames, steps, torch.Generator().manual_seed(0), whole=True)
        found[f"steps_{steps}"], _ = _stepped(run, spread, labels)
    return found | _event_by_event(run, frames, labels)


def _stepped(run: LoadedRun, frames: Tensor, labels: Tensor) -> tuple[float, float]:
    right, synops = 0, 0.0
    with torch.no_grad(), run.monitor:
        for part, wanted in zip(frames.split(_AT_ONCE), labels.split(_AT_ONCE), strict=True):
            right += int((run.answers(part).argmax(1) == wanted).sum())
            synops += run.monitor.synops.per_sample.total.item() * len(part)
    return right / len(frames), synops / len(frames)


def _event_by_event(run: LoadedRun, frames: Tensor, labels: Tensor) -> dict[str, Any]:
    potential, count, synops = list[float](), list[float](), list[float]()
    for order in _ORDERS:
        events = run_event_by_event(run.model, frames, seed=order)  # type: ignore[arg-type]
        potential.append(_share(events.spikes + events.left, labels))
        count.append(_share(events.spikes, labels))
        synops.append(events.synops)
    return {
        "event_by_event": potential,
        "event_by_event_count": count,
        "event_by_event_synops_per_sample": synops,
    }


def _share(answers: Tensor, labels: Tensor) -> float:
    return (answers.argmax(1) == labels).double().mean().item()


def main() -> None:
    """Run what is missing in the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--limits", type=float, nargs="+", default=[0.0], help="SynOps a step")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=RESULTS / "mixed_time_steps.json")
    asked = parser.parse_args()
    saved = json.loads(asked.out.read_text()) if asked.out.exists() else {"runs": {}}
    for limit, seed, steps in product(asked.limits, asked.seeds, ("same", "random")):
        key = f"{steps}, seed {seed}, {asked.epochs} epochs, " + (
            f"{limit:g} SynOps a step and trainable layer" if limit else "no budget"
        )
        if key in saved["runs"]:
            continue
        config = TrainConfig(
            epochs=asked.epochs,
            seed=seed,
            synops_per_timestep=limit or None,
            per="trainable",
            time_steps_per_stage=steps,
        )
        saved["runs"][key] = figures(config, asked.images)
        saved["machine"] = surroundings()
        asked.out.write_text(json.dumps(saved, indent=1) + "\n")
        print(key, saved["runs"][key], flush=True)


if __name__ == "__main__":
    main()
