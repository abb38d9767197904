"""Budgets are met on data that was not trained on, with no weight set by hand."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import picojoule
from tests.budget.networks import INPUTS, batch, held_out, network, train

STEPS = 400
LAYERS = {"hidden": ("2", "4")}


@pytest.fixture(scope="module")
def unconstrained() -> tuple[picojoule.Monitor, float]:
    """What a network spends that was trained without a budget, and its accuracy."""
    model = network()
    train(model, None, STEPS)
    return held_out(model)


def spent(monitor: picojoule.Monitor) -> float:
    """SynOps of the layers that training can change."""
    return sum(monitor.synops[name].item() for name in LAYERS["hidden"])


@pytest.fixture
def watched() -> Iterator[tuple[nn.Sequential, picojoule.Monitor]]:
    model = network()
    with picojoule.Monitor(model) as monitor:
        yield model, monitor


@pytest.mark.parametrize("share", [0.5, pytest.param(0.25, marks=pytest.mark.slow), 0.1])
def test_a_share_of_the_unconstrained_synops(watched, unconstrained, share: float) -> None:
    model, monitor = watched
    limit = share * spent(unconstrained[0])
    budget = picojoule.Budget(monitor, synops_per_timestep={"hidden": limit}, groups=LAYERS)
    train(model, budget, STEPS)
    unseen, accuracy = held_out(model)
    assert spent(unseen) == pytest.approx(limit, rel=0.05)
    assert accuracy > unconstrained[1] - 0.1


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_task_loss_does_not_matter(watched, unconstrained, scale: float) -> None:
    model, monitor = watched
    limit = 0.25 * spent(unconstrained[0])
    budget = picojoule.Budget(monitor, synops_per_timestep={"hidden": limit}, groups=LAYERS)
    train(model, budget, STEPS, scale=scale)
    assert spent(held_out(model)[0]) == pytest.approx(limit, rel=0.05)


@pytest.mark.parametrize("synapses", ["keep", "prune"])
def test_a_limit_that_is_never_near_changes_no_bit(synapses: str) -> None:
    weights = []
    for limit in (None, 1e9):
        model, generator = network(), torch.Generator().manual_seed(1)
        monitor = picojoule.Monitor(model, weights="nonzero").attach()
        budget = None
        if limit is not None:
            budget = picojoule.Budget(
                monitor, synops_per_timestep=limit, per="model", steps=60, synapses=synapses
            )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        for number in range(60):
            x, labels = batch(generator)
            picojoule.reset_states(model)
            x = x if number < 5 else x * (torch.arange(INPUTS) == 0)  # layers fall to a tenth
            loss = nn.functional.cross_entropy(model(x).mean(1), labels)
            optimizer.zero_grad()
            loss.backward() if budget is None else budget.backward(loss)
            optimizer.step()
            if budget is not None:
                budget.step()
        if budget is not None:
            picojoule.reset_states(model)
            budget.trim(lambda model=model, x=x: model(x))
        weights.append(
            [p.detach().clone() for p in (model[0].weight, model[2].weight, model[4].weight)]
        )
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_each_layer_has_its_own_limit(watched) -> None:
    model, monitor = watched
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 80.0, "4": 8.0})
    train(model, budget, STEPS)
    unseen, _ = held_out(model)
    assert 0 < unseen.synops["2"].item() <= 80 * 1.05
    assert 0 < unseen.synops["4"].item() <= 8 * 1.05
    assert budget.met
    assert budget.violations() == []


def test_joules_of_a_sample(watched) -> None:
    model, monitor = watched
    budget = picojoule.Budget(monitor, energy_j=8e-8, profile="loihi", per="sample")
    train(model, budget, STEPS)
    assert budget.violations(held_out(model)[0]) == []


def test_mean_rates_of_layers(watched, unconstrained) -> None:
    model, monitor = watched
    without, _ = unconstrained
    assert without.rates.mean["1"] < 0.35 * 0.95
    assert without.rates.mean["3"] > 0.3 * 1.05
    budget = picojoule.Budget(monitor, min_rate={"1": 0.35}, max_rate={"3": 0.3})
    train(model, budget, STEPS)
    unseen, _ = held_out(model)
    assert unseen.rates.mean["1"] >= 0.35 * 0.95
    assert unseen.rates.mean["3"] <= 0.3 * 1.05


def test_a_floor_wakes_each_neuron_and_a_ceiling_calms_each(watched) -> None:
    """Without: a third of layer 1 below the floor, some silent, and up to 2 spikes a step in layer 3."""
    model, monitor = watched
    floors, ceilings = {"1": 0.2}, {"3": 0.3}
    budget = picojoule.Budget(monitor, min_rate=floors, max_rate=ceilings, rate_of="neuron")
    train(model, budget, STEPS)
    unseen, _ = held_out(model)
    assert unseen.rates["1"].min() > 0.1
    assert (unseen.rates["1"] >= 0.18).float().mean() > 0.85
    assert unseen.rates["3"].max() < 0.5


def test_a_warm_up_leaves_training_as_it_was(watched) -> None:
    model, monitor = watched
    budget = picojoule.Budget(monitor, synops_per_timestep={"4": 1.0}, warmup_steps=10)
    train(model, budget, 10)
    alone = network()
    train(alone, None, 10)
    for mine, theirs in zip(model.parameters(), alone.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_resumed_run_repeats_what_an_uninterrupted_one_does(watched) -> None:
    model, monitor = watched
    options = {"synops_per_timestep": {"2": 80.0}, "min_rate": {"3": 0.1}, "rate_of": "neuron"}
    budget = picojoule.Budget(monitor, **options)
    train(model, budget, 15)
    weights = {name: x.clone() for name, x in model.state_dict().items() if "v_mem" not in name}
    saved = budget.state_dict()
    train(model, budget, 15, seed=2)

    again = network(seed=5)
    again.load_state_dict(weights, strict=False)
    with picojoule.Monitor(again) as other:
        resumed = picojoule.Budget(other, **options)
        resumed.load_state_dict(saved)
        assert resumed.state_dict().keys() == saved.keys()
        train(again, resumed, 15, seed=2)
    for name, multiplier in budget.multipliers.items():
        assert torch.equal(multiplier, resumed.multipliers[name])
    for mine, theirs in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, theirs)
