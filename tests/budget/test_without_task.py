"""A budget without a task: floors of single neurons are reached under the limits of their layers."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

import picojoule
from picojoule import Budget, Monitor
from picojoule.layers import IAF


def spikes() -> Tensor:
    return (torch.rand(16, 20, 12, generator=torch.Generator().manual_seed(1)) < 0.4).float()


def trained(optimizer: type[torch.optim.Optimizer], rate: float, **constraints: object) -> Monitor:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(12, 40), IAF(), nn.Linear(40, 20), IAF(), nn.Linear(20, 5))
    monitor = Monitor(model).attach()
    budget, steps = (
        Budget(monitor, steps=200, **constraints),
        optimizer(model.parameters(), lr=rate),
    )
    for _ in range(200):
        picojoule.reset_states(model)
        steps.zero_grad()
        model(spikes())
        budget.backward()
        steps.step()
        budget.step()
    picojoule.reset_states(model)
    with torch.no_grad():
        model(spikes())
    return monitor


@pytest.mark.parametrize(("optimizer", "rate"), [(torch.optim.Adam, 1e-3), (torch.optim.SGD, 1e-2)])
def test_each_neuron_reaches_its_floor_under_a_limit(
    optimizer: type[torch.optim.Optimizer], rate: float
) -> None:
    monitor = trained(
        optimizer, rate, synops_per_timestep={"2": 80.0}, min_rate=0.03, rate_of="neuron"
    )
    assert monitor.synops["2"] <= 80.0 * 1.02  # 40 neurons of 20 synapses: floors alone spend 24
    for rates in monitor.rates.values():
        assert rates.min() >= 0.03 * 0.95


def test_a_floor_that_its_limit_forbids_moves_nothing() -> None:
    with pytest.warns(picojoule.budget.BudgetWarning, match="The limit wins"):
        monitor = trained(
            torch.optim.Adam,
            1e-3,
            synops_per_timestep={"2": 80.0},
            min_rate={"1": 0.5},
            rate_of="neuron",
        )
    assert monitor.synops["2"] <= 80.0 * 1.02


def test_bounds_of_neurons_pull_at_what_a_weight_is_computed_from() -> None:
    """No gain scales such a weight, and there is no task that would move it."""
    torch.manual_seed(3)
    model = nn.Sequential(orthogonal(nn.Linear(12, 8)), IAF(), nn.Linear(8, 2))
    budget = Budget(Monitor(model).attach(), max_rate={"1": 0.01}, rate_of="neuron", tighten=1.0)
    model(spikes())
    with pytest.warns(picojoule.budget.BudgetWarning, match="no gain and no trim"):
        budget.backward()
    gradient = model[0].parametrizations.weight.original.grad
    assert gradient is not None
    assert gradient.any()
