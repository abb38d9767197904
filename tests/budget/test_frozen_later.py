"""Layers that are frozen, or trained again, while a budget is kept: it follows what training can change now."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget import Budget, BudgetWarning
from picojoule.budget.constraints import Reading
from picojoule.budget.limits import SynopsLimit
from picojoule.budget.reach import Reach
from tests.budget.networks import batch, network

pytestmark = pytest.mark.filterwarnings("ignore::picojoule.budget.BudgetWarning")

LIMITS: dict[str, dict[str, object]] = {
    "layer": {"synops_per_timestep": {"2": 60.0}},
    "joules": {"energy_j": {"2": 1e-9}, "profile": "loihi"},
    "model": {"synops_per_timestep": 400.0},
    "rate": {"max_rate": {"1": 0.02}},
    "each neuron's rate": {"max_rate": {"1": 0.02}, "rate_of": "neuron"},
    "floor": {"min_rate": {"1": 0.3}},
}
every_limit = pytest.mark.parametrize("limit", LIMITS)
Form = Callable[[Budget, Tensor], None]


def by_backward(budget: Budget, loss: Tensor) -> None:
    budget.backward(loss)


def by_penalty(budget: Budget, loss: Tensor) -> None:
    (loss + budget.penalty()).backward()


both_forms = pytest.mark.parametrize("form", [by_backward, by_penalty])


def budget_of(model: nn.Module, limit: str) -> Budget:
    return Budget(picojoule.Monitor(model).attach(), tighten=0.1, **LIMITS[limit])  # type: ignore[arg-type]


def steps(model: nn.Sequential, budget: Budget, form: Form, number: int) -> None:
    generator = torch.Generator().manual_seed(1)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=2e-2)
    for _ in range(number):
        x, labels = batch(generator)
        picojoule.reset_states(model)
        optimizer.zero_grad()
        form(budget, nn.functional.cross_entropy(model(x).mean(1), labels))
        optimizer.step()
        budget.step()


@both_forms
@pytest.mark.parametrize("limit", ["layer", "model", "each neuron's rate"])
def test_a_limit_is_kept_from_when_its_layer_is_trained(form: Form, limit: str) -> None:
    model = network()
    model[0].requires_grad_(False)
    budget = budget_of(model, limit)
    steps(model, budget, form, 5)
    model[0].requires_grad_(True)
    steps(model, budget, form, 15)
    before = max((each.excess for each in budget.violations()), default=0.0)
    steps(model, budget, form, 25)
    assert all(each.excess < max(0.8 * before, 0.02) for each in budget.violations())
    if limit != "model":  # of which the data give some
        assert not budget.unreachable


@both_forms
@every_limit
def test_a_layer_may_be_frozen_and_trained_again(form: Form, limit: str) -> None:
    model = network()
    budget = budget_of(model, limit)
    for trained in (True, False, True, False, True):
        model[0].requires_grad_(trained)
        steps(model, budget, form, 4)
    assert limit == "model" or not budget.unreachable


@both_forms
@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("limit", ["layer", "model"])
def test_a_state_goes_on_where_a_layer_is_trained_again(
    form: Form, older: bool, limit: str
) -> None:
    model = network()
    model[0].requires_grad_(False)
    first = budget_of(model, limit)
    steps(model, first, form, 5)
    state = first.state_dict()
    if older and "reach" in state:  # from before the places were in it
        for each in state["reach"].values():
            del each["places"]
    elif older:
        state = {name: each for name, each in state.items() if "average" in each}
    model[0].requires_grad_(True)
    other = network()
    other.load_state_dict(model.state_dict())
    resumed = budget_of(other, limit)
    resumed.load_state_dict(state)
    if older and form is by_penalty and limit != "model":
        assert state == {}
    steps(other, resumed, form, 3)
    assert limit == "model" or not resumed.unreachable
    assert resumed.pulls or resumed.multipliers


def test_the_state_of_a_layer_that_is_frozen_now_is_taken_over() -> None:
    model = network()
    budget = budget_of(model, "layer")
    steps(model, budget, by_penalty, 5)
    other = network()
    other[0].requires_grad_(False)
    resumed = budget_of(other, "layer")
    resumed.load_state_dict(budget.state_dict())
    steps(other, resumed, by_penalty, 2)
    assert list(resumed.unreachable) == ["synops_per_timestep of 2"]


@both_forms
def test_what_is_frozen_is_said_at_once_and_once(form: Form) -> None:
    model = network()
    budget = budget_of(model, "layer")
    steps(model, budget, form, 3)
    model[0].requires_grad_(False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BudgetWarning)
        steps(model, budget, form, 1)
        steps(model, budget, form, 3)
    (told,) = [str(each.message) for each in caught]
    assert "cannot be reached by training" in told


@pytest.mark.parametrize("given", [99.9999, 100.0, 103.0])
def test_something_is_left_to_steer_to_while_noise_leaves_a_limit_in_reach(given: float) -> None:
    """A given part above the bound, by less than it varies, was a limit of less than nothing."""
    monitor = picojoule.Monitor(network()).attach()
    limit, reach = SynopsLimit(bound=100.0), Reach(decay=0.6)
    for off in (-40.0, 40.0, -40.0, 40.0):
        reach.see(limit.name, Reading(torch.tensor(150.0), torch.tensor(100 + off), ("0",)))
    reach._given[limit.name] = torch.tensor(given)
    assert reach.judge({limit.name: limit}, monitor) == ()
    assert reach.room(limit, margin=0.01) > 0
