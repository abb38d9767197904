"""One training run of the comparison, and what it reaches on the test images."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import picojoule
from picojoule.budget import Regulator
from picojoule.data import Split, load_images, rate_code
from picojoule.training.lenet import lenet

TRAINED = ("4", "7", "10")  # what layer 1 spends depends on the images alone
EVALUATION_BATCH = 200

Regulate = Callable[[picojoule.Monitor], Regulator]


@dataclass(frozen=True)
class Settings:
    """What all runs share.

    Args:
        data: folder of IDX files; the bundled images if None.
        epochs: of each run.
        batch_size: in training.
        num_timesteps: of each image.
        learning_rate: Adam's, at the start.
        hold: share of the steps for which it stays there, before it falls to zero along a half cosine.
    """

    data: str | None = None
    epochs: int = 6
    batch_size: int = 50
    num_timesteps: int = 5
    learning_rate: float = 2e-3
    hold: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def train(settings: Settings, seed: int, regulate: Regulate | None) -> dict[str, Any]:
    """Train one network; weights, order and noise follow from the seed alone.

    Returns:
        Accuracy, SynOps per time step and silent share on the test images, and the seconds it took.
    """
    data = load_images(settings.data)
    torch.manual_seed(seed)
    model = lenet(settings.batch_size)
    monitor = picojoule.Monitor(model).attach()
    regulator = None if regulate is None else regulate(monitor)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    steps = settings.epochs * math.ceil(len(data.train.labels) / settings.batch_size)
    held = round(settings.hold * steps)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps - held, 1))
    started = time.perf_counter()
    for _ in range(settings.epochs):
        for chosen in torch.randperm(len(data.train.labels)).split(settings.batch_size):
            spikes = respond(model, data.train.images[chosen], settings.num_timesteps)
            loss = F.cross_entropy(spikes, data.train.labels[chosen].long())
            if regulator is not None:
                loss = loss + regulator.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            held -= 1
            if held < 0:
                decay.step()
            if regulator is not None:
                regulator.step()
    result = measure(model, monitor, data.test, settings.num_timesteps)
    return {**result, "seconds": round(time.perf_counter() - started, 1)}


def respond(
    model: nn.Sequential,
    images: torch.Tensor,
    num_timesteps: int,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Spikes of each class, `b c`."""
    frames = rate_code(images, num_timesteps, generator=generator)
    picojoule.set_batch_size(model, len(frames))
    picojoule.reset_states(model)
    spikes: torch.Tensor = model(frames)
    return spikes.sum(1)


@torch.no_grad()
def measure(
    model: nn.Sequential, monitor: picojoule.Monitor, test: Split, num_timesteps: int
) -> dict[str, Any]:
    """Accuracy, SynOps and silent neurons over the test images, with the same spike trains for all."""
    generator = torch.Generator().manual_seed(0)
    hits, synops, spikes = 0, dict.fromkeys(TRAINED, 0.0), dict[str, torch.Tensor]()
    for start in range(0, len(test.labels), EVALUATION_BATCH):
        images, labels = (part[start : start + EVALUATION_BATCH] for part in test)
        answer = respond(model, images, num_timesteps, generator).argmax(1)
        hits += int((answer == labels.long()).sum())
        for name in TRAINED:
            synops[name] += monitor.synops[name].item() * len(labels) / len(test.labels)
        for name, rate in monitor.rates.items():
            spikes[name] = spikes.get(name, torch.zeros(())) + rate
    silent = {name: (rate == 0).float().mean().item() for name, rate in spikes.items()}
    neurons = {name: rate.numel() for name, rate in spikes.items()}
    return {
        "accuracy": hits / len(test.labels),
        "synops_per_timestep": sum(synops.values()),
        "by_layer": synops,
        "silent_share": sum(silent[n] * neurons[n] for n in neurons) / sum(neurons.values()),
        "silent_by_layer": silent,
    }
