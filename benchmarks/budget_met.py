"""Is the budget met? The LeNet of `picojoule train` on the bundled images, with Budget's defaults.

    python -m benchmarks.budget_met --shares 0.5 0.25 0.1 --seeds 1

Trains without a budget, then at shares of what that network spends in the layers that training can change, each from the
same initial weights and for the same epochs. Prints, for the test images, accuracy and how far the budget was missed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import picojoule
from benchmarks.record import surroundings
from picojoule.data import ImageData, Split, load_images, rate_code
from picojoule.training.config import TrainConfig
from picojoule.training.lenet import lenet

TRAINED = ("4", "7", "10")  # what layer 1 spends depends on the images alone
EVALUATION_BATCH = 200


def respond(
    model: nn.Sequential, images: torch.Tensor, config: TrainConfig, generator: Any = None
) -> torch.Tensor:
    """Spikes of each class, `b c`."""
    frames = rate_code(images, config.num_timesteps, config.max_rate, generator)
    picojoule.set_batch_size(model, len(frames))
    picojoule.reset_states(model)
    return model(frames).sum(1)


def train(
    data: ImageData, config: TrainConfig, limit: float | None, options: dict[str, Any]
) -> dict[str, Any]:
    """One network; what it reaches on the test images."""
    torch.manual_seed(config.seed)
    model = lenet(config.batch_size)
    monitor = picojoule.Monitor(model).attach()
    budget = None
    if limit is not None:
        budget = picojoule.Budget(
            monitor, synops_per_timestep={"trained": limit}, groups={"trained": TRAINED}, **options
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    steps = config.epochs * math.ceil(len(data.train.labels) / config.batch_size)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started = time.perf_counter()
    for _ in range(config.epochs):
        for chosen in torch.randperm(len(data.train.labels)).split(config.batch_size):
            spikes = respond(model, data.train.images[chosen], config)
            loss = F.cross_entropy(spikes, data.train.labels[chosen].long())
            if budget is not None:
                loss = loss + budget.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
            if budget is not None:
                budget.step()
    result = measure(model, monitor, data.test, config)
    multipliers = {} if budget is None else budget.multipliers
    return result | {
        "multipliers": {name: value.mean().item() for name, value in multipliers.items()},
        "seconds": round(time.perf_counter() - started, 1),
    }


@torch.no_grad()
def measure(
    model: nn.Sequential, monitor: picojoule.Monitor, test: Split, config: TrainConfig
) -> dict[str, Any]:
    """Accuracy, SynOps and silent neurons over the test images."""
    generator = torch.Generator().manual_seed(config.seed)
    hits, synops, spikes = 0, dict.fromkeys(TRAINED, 0.0), dict[str, torch.Tensor]()
    for start in range(0, len(test.labels), EVALUATION_BATCH):
        images, labels = (part[start : start + EVALUATION_BATCH] for part in test)
        answer = respond(model, images, config, generator).argmax(1)
        hits += int((answer == labels.long()).sum())
        for name in TRAINED:
            synops[name] += monitor.synops[name].item() * len(labels) / len(test.labels)
        for name, rate in monitor.rates.items():
            spikes[name] = spikes.get(name, 0.0) + rate
    silent = {name: (rate == 0).float().mean().item() for name, rate in spikes.items()}
    return {
        "accuracy": hits / len(test.labels),
        "synops_per_timestep": synops,
        "trained_synops_per_timestep": sum(synops.values()),
        "silent_share": silent,
    }


def runs(
    shares: list[float], seed: int, epochs: int, options: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Without a budget, then each share; prints a line each."""
    data, config = load_images(), TrainConfig(seed=seed, epochs=epochs)
    free = train(data, config, None, options)
    base = free["trained_synops_per_timestep"]
    yield {"seed": seed, "share": None, **free}
    print(
        f"seed {seed}  no budget    accuracy {free['accuracy']:.2%}  {base:.4g} SynOps/step",
        flush=True,
    )
    for share in shares:
        row = train(data, config, share * base, options)
        off = row["trained_synops_per_timestep"] / (share * base) - 1
        print(
            f"seed {seed}  {share:6.0%}       accuracy {row['accuracy']:.2%}  off by {off:+.1%}",
            flush=True,
        )
        yield {"seed": seed, "share": share, "limit": share * base, "off": off, **row}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.25, 0.1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    parser.add_argument(
        "--options", type=json.loads, default={}, help="JSON: arguments of Budget to try"
    )
    parser.add_argument(
        "--out", type=Path, help="JSON file for the figures, written after each row"
    )
    arguments = parser.parse_args()
    settings = {"epochs": arguments.epochs, "options": arguments.options}
    record: dict[str, Any] = {"surroundings": surroundings(), "settings": settings, "rows": []}
    for seed in arguments.seeds:
        for row in runs(arguments.shares, seed, arguments.epochs, arguments.options):
            record["rows"].append(row)
            if arguments.out is not None:
                arguments.out.write_text(json.dumps(record, indent=1) + "\n")
