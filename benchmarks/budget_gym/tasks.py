"""The tasks: what is learnt, how, and how little may be spent on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from benchmarks.budget_gym import data, networks
from benchmarks.budget_gym.data import Data
from benchmarks.budget_gym.limits import Limit

OptimizerName = Literal["adam", "sgd", "muon"]


@dataclass(frozen=True)
class Recipe:
    """A training run without a budget.

    Args:
        network: by batch size.
        data: what it learns from.
        steps: of training.
        batch_size: samples of a step.
        optimizer: "muon" moves matrices, and Adam the rest.
        learning_rate: at the start; it falls to zero along a half cosine.
    """

    network: Callable[[int], nn.Sequential]
    data: Callable[[], Data]
    steps: int
    batch_size: int = 32
    optimizer: OptimizerName = "adam"
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class Task:
    """A recipe under a budget.

    Args:
        name: on the command line and in the table.
        recipe: how it is trained, with the budget and without.
        limit: how little it may spend.
        loss_scale: factor of the task's loss, which the free network does not have.
        start: weights to begin with: "scratch", or those of the "free" network.
    """

    name: str
    recipe: Recipe
    limit: Limit
    loss_scale: float = 1.0
    start: Literal["scratch", "free"] = "scratch"

    def settings(self) -> dict[str, Any]:
        """All that makes a run of this task, as plain values: who changes the task runs it again."""
        recipe, limit = vars(self.recipe), vars(self.limit)
        names = {"network": self.recipe.network.__name__, "data": self.recipe.data.__name__}
        more = {"loss_scale": self.loss_scale, "start": self.start}
        return {**recipe, **names, **limit, **more}


SEED = Recipe(networks.seed_net, data.constant, steps=300, batch_size=5, learning_rate=1e-3)
TINY = Recipe(networks.tiny, data.rates, steps=240, batch_size=64, learning_rate=5e-3)
MLP = Recipe(networks.mlp, data.images, steps=400, batch_size=50)
MLP_SMALL_BATCH = Recipe(networks.mlp, data.images, steps=800, batch_size=8, learning_rate=3e-4)
MLP_LARGE_BATCH = Recipe(networks.mlp, data.images, steps=200, batch_size=200, learning_rate=3e-3)
MLP_FAST = Recipe(networks.mlp, data.images, steps=400, batch_size=50, learning_rate=1e-2)
MLP_SGD = Recipe(
    networks.mlp, data.images, steps=400, batch_size=50, optimizer="sgd", learning_rate=1e-2
)
MLP_MUON = Recipe(
    networks.mlp, data.images, steps=400, batch_size=50, optimizer="muon", learning_rate=1e-2
)
LENET = Recipe(networks.lenet, data.images, steps=240, batch_size=50)
CONV1D = Recipe(networks.conv1d, data.sequences, steps=240, learning_rate=3e-3)
RECURRENT = Recipe(networks.recurrent, data.sequences, steps=400)
RECURRENT_MUON = Recipe(
    networks.recurrent, data.sequences, steps=400, optimizer="muon", learning_rate=1e-2
)

# the seed's limit of 1e5 SynOps per step holds for each layer that training can change
_SEED_LIMIT = Limit(synops=1e5, per="layer")

TASKS = {
    task.name: task
    for task in (
        Task("seed", SEED, _SEED_LIMIT),
        Task("seed-floor-0.05", SEED, Limit(synops=1e5, per="layer", floor=0.05)),
        Task(
            "seed-each-0.05",
            SEED,
            Limit(synops=1e5, per="layer", floor=0.05, floor_of="neuron"),
        ),
        Task(
            "seed-each-0.5",
            SEED,
            Limit(synops=1e5, per="layer", floor=0.5, floor_of="neuron"),
        ),
        Task("tiny-model-50", TINY, Limit(0.5, per="model")),
        Task("tiny-10", TINY, Limit(0.1)),
        Task("tiny-layer-10", TINY, Limit(0.1, per="layer")),
        Task("tiny-2", TINY, Limit(0.02)),
        Task("mlp-10", MLP, Limit(0.1)),
        Task("mlp-2", MLP, Limit(0.02)),
        Task("mlp-loss-1e-3", MLP, Limit(0.1), loss_scale=1e-3),
        Task("mlp-loss-1e3", MLP, Limit(0.1), loss_scale=1e3),
        Task("mlp-batch-8", MLP_SMALL_BATCH, Limit(0.1)),
        Task("mlp-batch-200", MLP_LARGE_BATCH, Limit(0.1)),
        Task("mlp-rate-1e-2", MLP_FAST, Limit(0.1)),
        Task("mlp-sgd", MLP_SGD, Limit(0.1)),
        Task("mlp-muon", MLP_MUON, Limit(0.1)),
        Task("lenet-10", LENET, Limit(0.1)),
        Task("lenet-layer-10", LENET, Limit(0.1, per="layer")),
        Task("conv1d-halves-50", CONV1D, Limit(0.5, per="halves"), start="free"),
        Task("conv1d-10", CONV1D, Limit(0.1), start="free"),
        Task("conv1d-floor-0.01", CONV1D, Limit(0.1, floor=0.01), start="free"),
        Task("conv1d-scratch-10", CONV1D, Limit(0.1)),
        Task("recurrent-10", RECURRENT, Limit(0.1), start="free"),
        Task("recurrent-layer-10", RECURRENT, Limit(0.1, per="layer")),
        Task("recurrent-muon", RECURRENT_MUON, Limit(0.1)),
    )
}
