"""What a recipe comes to without a budget, which limits are shares of; trained once in a process."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from benchmarks.budget_gym.measure import Figures, measure
from benchmarks.budget_gym.tasks import Recipe
from benchmarks.budget_gym.training import WithoutBudget, respond, train
from picojoule import Monitor


@dataclass(frozen=True)
class Free:
    """A network that was trained without a budget; as it was drawn, where there is no task.

    Attributes:
        weights: its `state_dict`.
        figures: on the held-out samples.
        trained: layers whose SynOps training can change.
    """

    weights: dict[str, Any]
    figures: Figures
    trained: tuple[str, ...]


def new_network(recipe: Recipe, seed: int) -> nn.Module:
    """As it is drawn."""
    torch.manual_seed(seed)
    return recipe.network(recipe.batch_size)


@lru_cache(8)
def free_network(recipe: Recipe, seed: int) -> Free:
    """Train it, or take that of before."""
    model, data = new_network(recipe, seed), recipe.data()
    with Monitor(model) as monitor:
        respond(model, data.held_out.of(slice(2)).inputs.float())
        trained = tuple(name for name, each in monitor.synops.items() if each.requires_grad)
        if data.train.labels is not None:
            train(model, recipe, seed, WithoutBudget())
        figures = measure(model, monitor, data.held_out)
    return Free(copy.deepcopy(model.state_dict()), figures, trained)
