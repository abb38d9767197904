"""A floor that a limit cannot afford, in a way that no formula tells beforehand."""

import pytest
import torch

import picojoule
from picojoule.budget import Budget, BudgetWarning
from tests.budget.networks import network, train


class Called(torch.nn.Module):
    """Hides the network's structure, so that nothing can be proved of it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


def contested() -> tuple[Called, Budget]:
    model = Called()
    monitor = picojoule.Monitor(model).attach()
    limit = 0.05 * 60 * 40  # a twentieth of what neurons that fire in every step spend
    return model, Budget(
        monitor, synops_per_timestep={"network.2": limit}, min_rate={"network.1": 0.4}
    )


def test_the_limit_wins_the_floor_is_let_go_and_the_task_is_learned() -> None:
    model, budget = contested()
    with pytest.warns(BudgetWarning, match="was not reached with a multiplier of 100 against"):
        train(model, budget, steps=400)
    (name,) = budget.infeasible
    assert name.startswith("min_rate")
    assert budget.multipliers[name] <= 0.0101
    assert [each.name for each in budget.violations()] == [name]
    assert not budget.met  # the floor is broken, and nobody said that it may be


def test_a_resumed_budget_knows_what_was_given_up() -> None:
    model, budget = contested()
    with pytest.warns(BudgetWarning):
        train(model, budget, steps=250)
    (name,) = budget.infeasible
    again = contested()[1]
    again.load_state_dict(budget.state_dict())
    with pytest.warns(BudgetWarning, match="given up"):
        train(again._monitor.model, again, steps=1)
    assert list(again.infeasible) == [name]
    assert again.multipliers[name] <= 0.0101
