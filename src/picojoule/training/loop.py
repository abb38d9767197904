"""The training loop: task loss, SynOps excess and rate shortfall, on Lightning Fabric.

Every random number follows from (seed, epoch), so a run resumed at an epoch's end repeats what an
uninterrupted one would have done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.budget import rate_shortfall, synops_excess
from picojoule.data import ImageData, Split, rate_code
from picojoule.extras import extra
from picojoule.layers import HookHandles, check_finite, reset_states, set_batch_size
from picojoule.training.checkpoint import load_checkpoint, save_checkpoint
from picojoule.training.config import TrainConfig
from picojoule.training.lenet import IMAGE_SIDE, NUM_CLASSES, lenet
from picojoule.training.measure import (
    Measurement,
    Meter,
    RunningMean,
    classification_hits,
)
from picojoule.training.run_folder import CHECKPOINT

_EVALUATION_BATCH = 200
_WEIGHTS, _ORDER, _NOISE, _EVALUATION = range(4)


class Progress(Protocol):
    """Who wants to know how far a run is."""

    def start(self, what: str, total: int, done: int) -> None:
        """A stretch of `total` steps begins, `done` of them behind us."""

    def advance(self, status: str) -> None:
        """One step is done."""


@dataclass
class History:
    """What was measured at each training step so far."""

    epochs: int = 0
    loss: list[float] = field(default_factory=list)
    synops_per_timestep: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fit:
    """A finished training run: the network before, after, and on the way."""

    untrained: Measurement
    trained: Measurement
    history: History


def fit(config: TrainConfig, data: ImageData, folder: Path, progress: Progress) -> Fit:
    """Train a LeNet, or go on with the run whose checkpoint is in `folder`.

    Args:
        config: what to do.
        data: images to train and test on.
        folder: where the checkpoint is kept; written after each epoch.
        progress: told about each step.

    Raises:
        ValueError: the data do not fit the network, or a checkpoint is of another model.
        OSError: a checkpoint could not be written; the previous one is kept.
        FloatingPointError: the loss is not finite; the last checkpoint is kept.
    """
    check_fits(data)
    with torch.random.fork_rng():
        torch.manual_seed(_derived_seed(config.seed, _WEIGHTS))
        model = lenet(config.batch_size)
        trainer = _Trainer(config, data, model, progress)
        try:
            return trainer.run(folder / CHECKPOINT)
        finally:
            trainer.handles.remove()


def check_fits(data: ImageData) -> None:
    """Raise ValueError if the images are not 28x28 or have labels past 9."""
    for name, split in data._asdict().items():
        if split.images.shape[1:] != (IMAGE_SIDE, IMAGE_SIDE):
            raise ValueError(
                f"the {name} images are {' x '.join(map(str, split.images.shape[1:]))} pixels, but the network "
                f"takes {IMAGE_SIDE} x {IMAGE_SIDE}."
            )
        if int(split.labels.max()) >= NUM_CLASSES:
            raise ValueError(
                f"the {name} labels go up to {int(split.labels.max())}, but the network tells "
                f"{NUM_CLASSES} classes apart, 0 to {NUM_CLASSES - 1}."
            )


class _Trainer:
    """The parts of one run and the steps between them."""

    def __init__(
        self, config: TrainConfig, data: ImageData, model: nn.Sequential, progress: Progress
    ) -> None:
        with extra("train"):
            from lightning_fabric import Fabric
        self.config, self.data, self.progress = config, data, progress
        self.history = History()
        self.meter = Meter(model)
        self.handles = HookHandles()
        self.handles.add(self.meter.handles)
        if config.check_finite:
            self.handles.add(check_finite(model))
        self.fabric = Fabric(accelerator="auto", devices=1)
        adam = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        self.bare_model = model
        self.model, self.optimizer = self.fabric.setup(model, adam)
        self.trainable = self.trainable_layers()

    def run(self, checkpoint: Path) -> Fit:
        untrained = self.measure("measuring the untrained network")
        if checkpoint.exists():
            saved = load_checkpoint(checkpoint, self.bare_model, self.optimizer)
            self.history = History(**saved)
        steps = math.ceil(len(self.data.train.labels) / self.config.batch_size)
        self.progress.start("training", steps * self.config.epochs, steps * self.history.epochs)
        for epoch in range(self.history.epochs, self.config.epochs):
            self.train_epoch(epoch, steps)
            self.check_weights(epoch)
            self.history.epochs = epoch + 1
            save_checkpoint(checkpoint, self.bare_model, self.optimizer, vars(self.history))
        return Fit(untrained, self.measure("measuring the trained network"), self.history)

    def train_epoch(self, epoch: int, steps: int) -> None:
        torch.manual_seed(_derived_seed(self.config.seed, _NOISE, epoch))
        order = torch.randperm(
            len(self.data.train.labels), generator=_generator(self.config.seed, _ORDER, epoch)
        )
        for step, chosen in enumerate(torch.split(order, self.config.batch_size)):
            done = (epoch * steps + step) / (steps * self.config.epochs)
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.learning_rate * (1 + math.cos(math.pi * done)) / 2
            split = Split(*(part[chosen] for part in self.data.train))
            self.train_step(split, f"epoch {epoch + 1}/{self.config.epochs}")

    def train_step(self, batch: Split, where: str) -> None:
        spikes, labels = self.respond(batch, generator=None)
        task_loss = F.cross_entropy(spikes.sum(1), labels)
        loss = task_loss + self.penalty()
        if not bool(torch.isfinite(loss)):
            raise FloatingPointError(
                f"the loss became {loss.item()} in {where}; the checkpoint of the epoch before is kept. "
                "Try a smaller --learning-rate."
            )
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.history.loss.append(loss.item())
        synops = {name: count.item() for name, count in self.meter.synops_per_timestep().items()}
        for name, count in synops.items():
            self.history.synops_per_timestep.setdefault(name, []).append(count)
        self.progress.advance(
            f"{where}  loss {loss.item():.3f}  {sum(synops.values()):.3g} SynOps/step"
        )

    def check_weights(self, epoch: int) -> None:
        """Stop before weights that are not finite replace the last good checkpoint."""
        for name, weight in self.bare_model.named_parameters():
            if not bool(torch.isfinite(weight).all()):
                raise FloatingPointError(
                    f"the weights {name} are not finite after epoch {epoch + 1}; the checkpoint of the epoch "
                    "before is kept. Try a smaller --learning-rate."
                )

    def penalty(self) -> Tensor:
        config = self.config
        total = torch.zeros((), device=self.fabric.device)
        if config.synops_weight:
            allowed = config.synops_target * (1 - config.synops_margin)
            synops = self.meter.synops_per_timestep().values()
            total = total + config.synops_weight * synops_excess(synops, allowed)
        if config.rate_weight:
            shortfall = rate_shortfall(self.meter.rates().values(), config.min_rate)
            total = total + config.rate_weight * shortfall
        return total

    def respond(self, batch: Split, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """The output spikes, `b t c`, for a batch of images, and their labels."""
        frames = rate_code(batch.images, self.config.num_timesteps, self.config.max_rate, generator)
        set_batch_size(self.bare_model, len(frames))
        reset_states(self.bare_model)
        frames, labels = self.fabric.to_device((frames, batch.labels.long()))
        return self.model(frames), labels

    def trainable_layers(self) -> tuple[str, ...]:
        """The counted layers whose SynOps training can change: their count carries a gradient."""
        one_image = next(_batches(self.data.test, 1))
        self.respond(one_image, _generator(self.config.seed, _EVALUATION))
        counts = self.meter.synops_per_timestep()
        return tuple(name for name, count in counts.items() if count.requires_grad)

    @torch.no_grad()
    def measure(self, what: str) -> Measurement:
        """The network on the test images, with the same spike trains each time."""
        generator = _generator(self.config.seed, _EVALUATION)
        batches = list(_batches(self.data.test, _EVALUATION_BATCH))
        synops, rates, hits = RunningMean(), RunningMean(), 0
        self.progress.start(what, len(batches), 0)
        for batch in batches:
            spikes, labels = self.respond(batch, generator)
            hits += classification_hits(spikes, labels)
            synops.add(self.meter.synops_per_timestep(), len(labels))
            rates.add(self.meter.rates(), len(labels))
            self.progress.advance("")
        reset_states(self.bare_model)
        return Measurement(
            accuracy=hits / len(self.data.test.labels),
            synops_per_timestep={name: x.item() for name, x in synops.compute().items()},
            rates={name: x.cpu() for name, x in rates.compute().items()},
            trainable=self.trainable,
        )


def _batches(split: Split, size: int) -> Iterator[Split]:
    for start in range(0, len(split.labels), size):
        yield Split(split.images[start : start + size], split.labels[start : start + size])


def _derived_seed(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def _generator(*key: int) -> torch.Generator:
    return torch.Generator().manual_seed(_derived_seed(*key))
