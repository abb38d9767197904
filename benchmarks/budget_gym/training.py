"""A training run, with a budget in the loop or without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

import picojoule
from benchmarks.budget_gym.tasks import OptimizerName, Recipe
from picojoule import Budget

ADAM_BESIDE_MUON = 2e-3  # learning rate of what is no matrix


class Loop(Protocol):
    """What a budget does in a training step."""

    pull: float

    def backward(self, loss: Tensor | None) -> None:
        """The gradients, of the task's loss if there is one; before the optimizer's step."""
        ...

    def step(self) -> None:
        """After the optimizer's step."""
        ...


class WithoutBudget:
    """The task alone."""

    pull = 0.0

    def backward(self, loss: Tensor | None) -> None:
        if loss is not None:
            loss.backward()

    def step(self) -> None:
        pass


class BudgetBackward:
    """`budget.backward(loss)` in place of `loss.backward()`; `pull` is the largest so far."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self.pull = budget, 0.0

    def backward(self, loss: Tensor | None) -> None:
        if loss is None:
            self._budget.backward()
        else:
            self._budget.backward(loss)

    def step(self) -> None:
        self._budget.step()
        self.pull = self._budget.largest_pull


class BudgetPenalty:
    """`(loss + budget.penalty()).backward()`; `pull` is the largest multiplier so far."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self.pull = budget, 0.0

    def backward(self, loss: Tensor | None) -> None:
        penalty = self._budget.penalty()
        (penalty if loss is None else loss + penalty).backward()

    def step(self) -> None:
        self._budget.step()
        for multiplier in self._budget.multipliers.values():
            self.pull = max(self.pull, multiplier.max().item())


LOOPS: dict[str, Callable[[Budget], Loop]] = {"backward": BudgetBackward, "penalty": BudgetPenalty}


def respond(model: nn.Module, spikes: Tensor) -> Tensor:
    """What the model answers over all time steps, `b classes`, from rest."""
    picojoule.set_batch_size(model, len(spikes))
    picojoule.reset_states(model)
    answer: Tensor = model(spikes).sum(1)
    return answer


def train(
    model: nn.Module,
    recipe: Recipe,
    seed: int,
    loop: Loop,
    *,
    loss_scale: float = 1.0,
    after: Callable[[int], None] = lambda _: None,
) -> None:
    """Train in place; order and noise follow from the seed alone. `after` gets the number of steps that are done."""
    samples, generator = recipe.data(), torch.Generator().manual_seed(seed)
    optimizers = _optimizers(model, recipe.optimizer, recipe.learning_rate)
    decays = [CosineAnnealingLR(each, recipe.steps) for each in optimizers]
    for step in range(1, recipe.steps + 1):
        spikes, labels = samples.batch(recipe.batch_size, generator)
        answer = respond(model, spikes)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loop.backward(None if labels is None else loss_scale * F.cross_entropy(answer, labels))
        for optimizer, decay in zip(optimizers, decays, strict=True):
            optimizer.step()
            decay.step()
        loop.step()
        after(step)


def _optimizers(
    model: nn.Module, name: OptimizerName, learning_rate: float
) -> list[torch.optim.Optimizer]:
    parameters = [each for each in model.parameters() if each.requires_grad]
    if name == "adam":
        return [torch.optim.Adam(parameters, learning_rate)]
    if name == "sgd":
        return [torch.optim.SGD(parameters, learning_rate, momentum=0.9)]
    matrices = [each for each in parameters if each.ndim == 2]
    others = [each for each in parameters if each.ndim != 2]
    muon = torch.optim.Muon(matrices, learning_rate, weight_decay=0.0)
    return [muon, *([torch.optim.Adam(others, ADAM_BESIDE_MUON)] if others else [])]
