"""One training run of the comparison, by the recipe of `picojoule train`, and what it reaches on the test images."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmarks.budget_comparison.methods import BUDGET, FIXED, TRAINED, Spec, penalties_of
from picojoule.budget import Budget, BudgetWarning, Connections, FixedPenalties
from picojoule.budget.masks import mask_of
from picojoule.training import Measurement, Quiet, TrainConfig
from picojoule.training.loop.evaluation import measure
from picojoule.training.loop.processes import launched
from picojoule.training.loop.trainer import Trainer
from picojoule.training.loop.trimming import trim
from picojoule.training.networks.models import build_model
from picojoule.training.randomness import Stream, derived_seed
from picojoule.training.samples.run_data import load_run_data


class Penalised:
    """Penalties in the loss, and connections that go as under a Budget: what a Trainer asks of one.

    Args:
        penalties: with their weights.
        connections: of the same model.
    """

    def __init__(self, penalties: FixedPenalties, connections: Connections) -> None:
        self._penalties, self._connections = penalties, connections

    def backward(self, loss: Tensor, *, via: Callable[[Tensor], object]) -> None:
        """Of the task and the penalties."""
        via(loss + self._penalties.penalty())

    def step(self) -> None:
        """After the optimizer's."""
        self._connections.step()


def config_of(recipe: TrainConfig, spec: Spec) -> TrainConfig:
    """What `picojoule train` would be told, for a Budget; the recipe of a fixed penalty is the same."""
    if spec.limit is None:
        return replace(recipe, seed=spec.seed)
    return replace(
        recipe,
        seed=spec.seed,
        synops_per_timestep={"trained": spec.limit},
        groups={"trained": TRAINED},
        synapses="prune",
    )


def train(recipe: TrainConfig, spec: Spec) -> dict[str, Any]:
    """Train one network; weights, order and noise follow from the seed alone.

    A Budget's network is trimmed. That of a fixed penalty is measured as training leaves it, and once more trimmed.

    Returns:
        Accuracy and SynOps per time step on the test images, the share of connections that is left by layer, and
        the seconds it took.
    """
    started = time.perf_counter()
    trainer = _begun(config_of(recipe, spec))
    budget = trainer.budget
    if spec.method in FIXED:
        trainer.budget = cast("Budget", penalised(trainer, spec))  # all that training asks of one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BudgetWarning)
        for epoch in range(recipe.epochs):
            trainer.train_epoch(epoch, lambda *_: None)
    trainer.budget = budget
    if spec.method == BUDGET:
        trim(trainer, Quiet())
    measured = _tested(trainer)
    row = {
        "accuracy": measured.accuracy,
        "synops_per_timestep": measured.synops_of(TRAINED),
        "by_layer": {name: measured.synops_per_timestep[name] for name in TRAINED},
        "shares": shares_left(trainer.model),
    }
    if spec.method in FIXED:
        trim(trainer, Quiet())
        trimmed = _tested(trainer)
        row["accuracy_trimmed"] = trimmed.accuracy
        row["synops_trimmed"] = trimmed.synops_of(TRAINED)
    trainer.close()
    return {**row, "seconds": round(time.perf_counter() - started, 1)}


def _begun(config: TrainConfig) -> Trainer:
    data = load_run_data(config)
    torch.manual_seed(derived_seed(config.seed, Stream.WEIGHTS))
    model = build_model(config.model, data.shape, data.num_classes, config.batch_size)
    trainer = Trainer(config, data, launched(config), model)
    trainer.begin()
    return trainer


def penalised(trainer: Trainer, spec: Spec) -> Penalised:
    """What a fixed penalty puts in the place of the Budget."""
    steps = trainer.config.epochs * trainer.steps_per_epoch
    connections = Connections(trainer.model, spec.shares, kind="prune", steps=steps)
    return Penalised(penalties_of(spec, trainer.monitor), connections)


def _tested(trainer: Trainer) -> Measurement:
    everything = torch.arange(len(trainer.data.test))
    return measure(trainer, trainer.data.test, everything, Quiet(), "")


def shares_left(model: nn.Module) -> dict[str, float]:
    """The share of the connections that masks leave, by the layer that has one."""
    masks = {name: mask_of(layer) for name, layer in model.named_modules()}
    return {n: (mask != 0).double().mean().item() for n, mask in masks.items() if mask is not None}
