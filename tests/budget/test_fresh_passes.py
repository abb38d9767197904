"""A budget steers by the pass of its own step: one that is old, or had no gradients, is said."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Budget, Monitor
from picojoule.budget import BudgetWarning
from picojoule.layers import IAF


def network() -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 40), IAF(), nn.Linear(40, 4))
    return model, (torch.rand(4, 10, 20) < 0.4).float()


def loss(model: nn.Module, x: Tensor) -> Tensor:
    picojoule.reset_states(model)
    return model(x).sum()  # type: ignore[no-any-return]


@pytest.mark.parametrize("limit", [5.0, 1000.0])
@pytest.mark.parametrize("away", ["detached", "paused"])
def test_a_pass_that_the_monitor_did_not_see(limit: float, away: str) -> None:
    model, x = network()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"2": limit})
    budget.backward(loss(model, x))
    budget.step()
    if away == "detached":
        monitor.detach()
        own = loss(model, x)
    else:
        with monitor.paused():
            own = loss(model, x)
    with pytest.raises(RuntimeError, match=r"no forward pass since the last step\(\)"):
        budget.backward(own)
    monitor.attach()
    budget.backward(loss(model, x))
    budget.step()


def test_an_old_penalty() -> None:
    model, x = network()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"2": 5.0})
    (loss(model, x) + budget.penalty()).backward()
    budget.step()
    with monitor.paused():
        loss(model, x)
        budget.penalty()
    with pytest.raises(RuntimeError, match="no forward pass since"):
        budget.step()


def test_passes_that_add_up() -> None:
    model, x = network()
    monitor = Monitor(model, accumulate=True).attach()
    budget = Budget(monitor, synops_per_timestep={"2": 5.0})
    budget.backward(loss(model, x))
    budget.step()
    with pytest.raises(RuntimeError, match=r"monitor\.reset\(\) before each training step"):
        budget.backward(loss(model, x))
    monitor.reset()
    budget.backward(loss(model, x))
    budget.step()


def two_views(budget: Budget, model: nn.Module, x: Tensor, way: str) -> None:
    """One loss of two calls: the last one is of nothing, and spends nothing."""
    both = loss(model, x) + loss(model, torch.zeros_like(x))
    if way == "backward":
        budget.backward(both)
    else:
        (both + budget.penalty()).backward()
    budget.step()


@pytest.mark.parametrize("way", ["backward", "penalty"])
def test_of_several_calls_the_last_alone_is_measured_and_that_is_told_once(way: str) -> None:
    model, x = network()
    budget = Budget(Monitor(model).attach(), synops_per_timestep={"2": 5.0})
    two_views(budget, model, x, way)  # once may be a call that only tells shapes
    with pytest.warns(BudgetWarning, match="called 2 times with gradients") as told:
        two_views(budget, model, x, way)
    assert len(told) == 1
    assert "accumulate=True" in str(told[0].message)
    two_views(budget, model, x, way)


@pytest.mark.parametrize("way", ["backward", "penalty"])
def test_a_monitor_that_adds_up_measures_all_of_them(way: str) -> None:
    model, x = network()
    nn.init.constant_(model[0].weight, 0.0)
    nn.init.constant_(model[0].bias, 0.5)  # each of 40 neurons fires in every second step
    monitor = Monitor(model, accumulate=True).attach()
    budget = Budget(monitor, synops_per_timestep={"2": 1000.0})
    for _ in range(3):
        monitor.reset()
        model.zero_grad()
        two_views(budget, model, x, way)
    assert monitor.synops["2"].item() == 40 * 4 / 2
    assert monitor.synops.sample_steps == 2 * 4 * 10
    assert budget.met


def test_calls_that_are_no_news_are_not_told_of() -> None:
    """Micro-batches are measured one by one; a pass that is paused or has no gradients is not trained on, nor a batch that is left out."""
    model, x = network()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"2": 5.0})
    for _ in range(3):
        with monitor.paused():
            loss(model, x)
        with torch.no_grad():
            loss(model, x)
        budget.backward(loss(model, x))
        budget.backward(loss(model, x))
        budget.step()
    for number in range(6):
        own = loss(model, x)
        if number % 2:
            budget.backward(own)
            budget.step()
            step(budget, model, x, "backward")


@pytest.mark.parametrize("how", ["backward", "penalty"])
def test_a_pass_without_gradients(how: str) -> None:
    model, x = network()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"2": 5.0})
    own = loss(model, x)
    with torch.no_grad():
        loss(model, x)
    with pytest.raises(RuntimeError, match="ran without gradients"):
        budget.backward(own) if how == "backward" else budget.penalty()
    with monitor.paused(), torch.no_grad():
        loss(model, x)


@pytest.mark.parametrize("first", ["backward", "penalty"])
def test_a_state_of_the_other_way_to_train(first: str) -> None:
    model, x = network()
    states = []
    for way in (first, "penalty" if first == "backward" else "backward"):
        monitor = Monitor(model).attach()
        budget = Budget(monitor, synops_per_timestep={"2": 5.0})
        if states:
            budget.load_state_dict(states[0])
            with pytest.raises(ValueError, match=rf"training with {first}\(\)"):
                step(budget, model, x, way)
        else:
            step(budget, model, x, way)
        states.append(budget.state_dict())
        monitor.detach()


def step(budget: Budget, model: nn.Module, x: Tensor, way: str) -> None:
    if way == "backward":
        budget.backward(loss(model, x))
    else:
        (loss(model, x) + budget.penalty()).backward()
    budget.step()


@pytest.mark.parametrize("way", ["backward", "penalty"])
@pytest.mark.parametrize("state", [{"tracks": {}}, {"x": 1}, None])
def test_a_state_that_was_refused_stands_in_the_way_of_nothing(state: object, way: str) -> None:
    model, x = network()
    budget = Budget(Monitor(model).attach(), synops_per_timestep={"2": 5.0})
    with pytest.raises((TypeError, ValueError)):
        budget.load_state_dict(state)  # type: ignore[arg-type]
    step(budget, model, x, way)


@pytest.mark.parametrize("state", [{"tracks": {}}, None, [], "x"])
def test_states_that_are_none(state: object) -> None:
    model, x = network()
    budget = Budget(Monitor(model).attach(), synops_per_timestep={"2": 5.0})
    step(budget, model, x, "backward")
    before = budget.state_dict()
    with pytest.raises((TypeError, ValueError), match=r"what Budget\.state_dict\(\) gave"):
        budget.load_state_dict(state)  # type: ignore[arg-type]
    assert repr(budget.state_dict()) == repr(before)
    step(budget, model, x, "backward")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copies(copied) -> None:
    model, x = network()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"2": 5.0})
    step(budget, model, x, "backward")
    with pytest.raises(TypeError, match="Budget cannot be copied"):
        copied(budget)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_the_model_tells_its_budget_nothing(copied) -> None:
    model, x = network()
    alone, _ = network()
    alone.load_state_dict(model.state_dict())
    budgets = [
        Budget(Monitor(each).attach(), synops_per_timestep={"2": 5.0}) for each in (model, alone)
    ]
    twin = copied(model)  # before the first pass, which shows the budget what drives which layer
    twin(x).sum().backward()
    for budget, each in zip(budgets, (model, alone), strict=True):
        each.zero_grad()
        picojoule.reset_states(each)
        budget.backward(each(x).square().sum())
    for layer in ("0", "2"):
        mine, expected = (each.get_submodule(layer).weight.grad for each in (model, alone))
        assert torch.equal(mine, expected)
