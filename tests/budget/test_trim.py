"""The trim: limits just kept, floors not lost, and the budget judges by what it measured."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import picojoule
from picojoule import Budget, Monitor
from picojoule.layers import IAF, LIF


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(16, 200), IAF(), nn.Linear(200, 100), IAF(), nn.Linear(100, 10), IAF()
    )


def batch() -> Tensor:
    return (torch.rand(32, 10, 16, generator=torch.Generator().manual_seed(1)) < 0.5).float()


def begun(**constraints: object) -> tuple[nn.Sequential, Monitor, Budget]:
    """A budget after one step without a change of weights."""
    model = net()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synapses="keep", **constraints)
    budget.backward(model(batch()).sum(1).square().mean())
    model.zero_grad()
    budget._steered.step()
    return model, monitor, budget


def spent(model: nn.Module, monitor: Monitor) -> dict[str, float]:
    picojoule.reset_states(model)
    with torch.no_grad():
        model(batch())
    return {name: x.item() for name, x in monitor.synops.items()}


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_each_limit_is_just_kept(share: float) -> None:
    model, monitor, _ = begun(synops_per_timestep=1e9)
    first = spent(model, monitor)
    limits = {name: share * first[name] for name in ("2", "4")}
    model, monitor, budget = begun(synops_per_timestep=limits)
    trimmed = budget.trim(lambda: model(batch()))
    now = spent(model, monitor)
    for name, limit in limits.items():
        assert 0.97 * limit <= now[name] <= limit
        assert trimmed.after[f"synops_per_timestep of {name}"] == pytest.approx(now[name])
        assert trimmed.before[f"synops_per_timestep of {name}"] > limit


def constant(wrap: Any) -> tuple[nn.Sequential, Budget]:
    """50 neurons with currents of 4 * 0.1 + 0.05 that reach 2 each, and 20 SynOps a step for them."""
    model = nn.Sequential(nn.Linear(4, 50), IAF(), nn.Linear(50, 2))
    nn.init.constant_(model[0].weight, 0.1)
    nn.init.constant_(model[0].bias, 0.05)
    wrap(model[0])
    budget = Budget(Monitor(model).attach(), synops_per_timestep={"2": 20.0})
    return model, budget


@pytest.mark.parametrize("wrap", [nn.Identity(), parametrizations.weight_norm])
def test_a_weight_with_a_norm_of_its_own_is_scaled_with_its_bias(wrap: Any) -> None:
    """In 10 steps 4 spikes of each neuron: 40 SynOps a step. With currents from 0.2 on, below 0.3, there are 2: 20 a step."""
    model, budget = constant(wrap)
    x = torch.ones(8, 10, 4)
    budget.backward(model(x).mean())
    budget.step()
    found = budget.trim(lambda: model(x))
    name = "synops_per_timestep of 2"
    assert found.before[name] == pytest.approx(40.0)
    assert found.after[name] == pytest.approx(20.0)
    weight, bias = model[0].weight.mean().item(), model[0].bias.mean().item()
    assert weight / bias == pytest.approx(2.0)
    assert 0.2 <= 4 * weight + bias < 0.3
    budget._steered.scale({"1": 0.5})
    assert model[0].weight.mean().item() == pytest.approx(weight / 2)
    assert model[0].bias.mean().item() == pytest.approx(bias / 2)


def test_a_weight_that_nothing_scales_is_left_with_its_bias_and_told() -> None:
    model, budget = constant(parametrizations.spectral_norm)
    x = torch.ones(8, 10, 4)
    told = r"no trim\(\) scales the currents into layer '1': what is trained of '0' \(ParametrizedLinear\)"
    with pytest.warns(picojoule.budget.BudgetWarning, match=told):
        budget.backward(model(x).mean())
    budget.step()
    before = [p.clone() for p in model.parameters()]
    found = budget.trim(lambda: model(x))
    assert found.gains == {}
    assert all(torch.equal(p, x) for p, x in zip(model.parameters(), before, strict=True))


def test_a_slack_limit_that_never_pulled_changes_nothing() -> None:
    model, _, budget = begun(synops_per_timestep=1e9)
    before = [p.clone() for p in model.parameters()]
    assert budget.trim(lambda: model(batch())).gains == {}
    assert all(torch.equal(p, x) for p, x in zip(model.parameters(), before, strict=True))


def test_a_floor_behind_a_trimmed_layer_is_lifted_again() -> None:
    model, monitor, budget = begun(synops_per_timestep=1e9)
    first, rate = spent(model, monitor), monitor.rates["5"].mean().item()
    model, monitor, budget = begun(
        synops_per_timestep={"2": 0.6 * first["2"]}, min_rate={"5": 0.95 * rate}
    )
    trimmed = budget.trim(lambda: model(batch()))
    assert spent(model, monitor)["2"] <= 0.6 * first["2"]
    assert monitor.rates["5"].mean().item() >= 0.95 * rate
    assert trimmed.gains["5"] > 1 > trimmed.gains["1"]


def test_a_floor_that_a_limit_forbids_stays_lost_and_the_limit_kept() -> None:
    model, monitor, _ = begun(synops_per_timestep=1e9)
    first, rate = spent(model, monitor), monitor.rates["1"].mean().item()
    with pytest.warns(picojoule.budget.BudgetWarning, match="The limit wins"):
        model, monitor, budget = begun(
            synops_per_timestep={"2": 0.6 * first["2"]}, min_rate={"1": 0.95 * rate}
        )
    budget.trim(lambda: model(batch()))
    assert 0.57 * first["2"] <= spent(model, monitor)["2"] <= 0.6 * first["2"]
    broken = {each.name for each in budget.violations()}
    assert broken == {"min_rate of 1"}


def test_met_judges_by_what_the_trim_measured() -> None:
    model, monitor, _ = begun(synops_per_timestep=1e9)
    limit = 0.5 * spent(model, monitor)["2"]
    model, monitor, budget = begun(synops_per_timestep={"2": limit})
    assert not budget.met
    budget.trim(lambda: model(batch()))
    assert budget.met


def test_a_loop_with_a_penalty_can_be_trimmed_too() -> None:
    model, monitor, _ = begun(synops_per_timestep=1e9)
    limit = 0.5 * spent(model, monitor)["2"]
    model = net()
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"2": limit})
    (model(batch()).sum(1).square().mean() + budget.penalty()).backward()
    budget.step()
    budget.trim(lambda: model(batch()))
    assert 0.97 * limit <= spent(model, monitor)["2"] <= limit
    assert budget.met


def test_a_budget_that_has_seen_no_pass_says_so() -> None:
    monitor = Monitor(net()).attach()
    with pytest.raises(RuntimeError, match=r"trim\(\) before a forward pass with gradients"):
        Budget(monitor, synops_per_timestep=10.0).trim(lambda: None)


def test_the_state_of_another_budget_is_refused_and_changes_nothing() -> None:
    _, _, other = begun(synops_per_timestep={"2": 5.0})
    _, _, budget = begun(synops_per_timestep={"4": 5.0})
    before = str(budget.state_dict())
    with pytest.raises(ValueError, match=r"synops_per_timestep of 2"):
        budget.load_state_dict(other.state_dict())
    assert str(budget.state_dict()) == before


def test_a_ceiling_on_a_rate_is_kept_where_a_limit_would_be_filled_up() -> None:
    model, monitor, budget = begun(synops_per_timestep=1e9)
    spent(model, monitor)
    rate, first = monitor.rates["1"].mean().item(), monitor.synops["2"].item()
    limits = {"synops_per_timestep": {"2": 1.2 * first}, "max_rate": {"1": 0.95 * rate}}
    model, monitor, budget = begun(**limits)
    budget._connections.synapses = "prune"  # whose limits are all filled up
    budget.trim(lambda: model(batch()))
    spent(model, monitor)
    assert budget.met
    assert budget.violations(monitor) == []


def test_a_ceiling_alone_is_trimmed() -> None:
    model, monitor, budget = begun(max_rate=0.05)
    budget.trim(lambda: model(batch()))
    spent(model, monitor)
    assert budget.violations(monitor) == []
    assert max(rate.mean().item() for rate in monitor.rates.values()) > 0.04


def test_a_ceiling_of_each_neuron_that_training_left_exceeded_costs_the_layer_nothing() -> None:
    model, _, budget = begun(max_rate={"1": 0.01}, rate_of="neuron")
    before = [p.clone() for p in model.parameters()]
    assert budget.trim(lambda: model(batch())).gains == {}
    assert all(torch.equal(p, x) for p, x in zip(model.parameters(), before, strict=True))
    assert not budget.met


class StopError(Exception):
    pass


@pytest.mark.parametrize("failing", [StopError, KeyboardInterrupt, "nan"])
def test_a_trim_that_fails_leaves_the_weights(failing: Any) -> None:
    model, _, budget = begun(synops_per_timestep={"2": 5.0, "4": 5.0})
    before, calls = [p.clone() for p in model.parameters()], 0

    def forward() -> None:
        nonlocal calls
        calls += 1
        if calls > 3 and failing != "nan":
            raise failing()
        model(batch() * (torch.nan if calls > 3 else 1.0))

    kind = FloatingPointError if failing == "nan" else failing
    with pytest.raises(kind):
        budget.trim(forward)
    assert all(torch.equal(p, x) for p, x in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("margin", [float("nan"), 2, -0.1, "a"])
def test_margins_that_are_no_shares(margin: object) -> None:
    model, _, budget = begun(synops_per_timestep={"2": 5.0})
    with pytest.raises(ValueError, match=r"margin of trim\(\) is"):
        budget.trim(lambda: model(batch()), margin=margin)  # type: ignore[arg-type]


def test_a_trim_measures_what_is_deployed_and_moves_no_statistics() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(16, 80), nn.Dropout(0.5), nn.Unflatten(1, (1, -1)), IAF(), nn.Flatten(0, 1), nn.BatchNorm1d(80)
    )  # fmt: skip
    model.append(nn.Linear(80, 4))
    monitor = Monitor(model).attach()
    budget = Budget(monitor, synops_per_timestep={"6": 10.0})
    x = batch()[0]
    budget.backward(model(x).square().mean())
    budget.step()
    statistics, state = model[5].running_mean.clone(), torch.get_rng_state()
    budget.trim(lambda: model(x))
    assert torch.equal(model[5].running_mean, statistics)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("way", ["load_state_dict", "another layer"])
def test_parameters_that_were_replaced_are_scaled(way: str) -> None:
    model, monitor, budget = begun(synops_per_timestep={"2": 30.0})
    if way == "another layer":
        model[0] = nn.Linear(16, 200)
    else:
        saved = {name: 2 * value for name, value in model.state_dict().items()}
        model.load_state_dict(saved, assign=True)
    trimmed = budget.trim(lambda: model(batch()))
    assert (
        trimmed.after["synops_per_timestep of 2"]
        <= 30.0
        < trimmed.before["synops_per_timestep of 2"]
    )
    assert 0.97 * 30.0 <= spent(model, monitor)["2"] <= 30.0


def test_a_parameter_that_is_gone_is_named() -> None:
    model, _, budget = begun(synops_per_timestep={"2": 30.0})
    model[0] = nn.Linear(16, 200, bias=False)
    with pytest.raises(RuntimeError, match=r"lost the parameter '0\.bias'"):
        budget.trim(lambda: model(batch()))


@pytest.mark.parametrize("way", ["backward", "penalty", "begin"])
def test_a_saved_budget_judges_by_what_the_trim_measured(way: str) -> None:
    limit = {"synops_per_timestep": {"2": 20.0}}
    model = net()
    budget = Budget(Monitor(model).attach(), **limit)  # type: ignore[arg-type]
    output = model(batch()).sum(1).square().mean()
    if way == "begin":
        budget.begin()
    elif way == "backward":
        budget.backward(output)
    else:
        (output + budget.penalty()).backward()
    if way != "begin":
        budget.step()
        assert not budget.met
    budget.trim(lambda: model(batch()))
    assert budget.met
    other = net()
    other.load_state_dict(model.state_dict())
    loaded = Budget(Monitor(other).attach(), **limit)  # type: ignore[arg-type]
    loaded.load_state_dict(budget.state_dict())
    other(batch())
    assert loaded.met
    older = {name: each for name, each in budget.state_dict().items() if name != "beside"}
    loaded.load_state_dict(older)
    assert loaded.met is (way != "backward")  # others have no averages yet
    loaded.judge_anew()
    assert loaded.met


def test_a_limit_that_no_weight_can_be_scaled_for_is_told() -> None:
    """The layer before the spikes is frozen, and the leak alone is trained."""
    model = nn.Sequential(nn.Linear(4, 50), LIF(20.0, norm_input=False), nn.Linear(50, 2))
    nn.init.constant_(model[0].weight, 0.5)
    model[0].requires_grad_(False)
    budget = Budget(Monitor(model).attach(), synops_per_timestep={"2": 20.0})
    x = torch.ones(8, 10, 4)
    budget.backward(model(x).mean())
    budget.step()
    name = "synops_per_timestep of 2"
    spent = budget.trim(lambda: model(x)).after[name]
    assert spent > 20
    (violation,) = budget.violations()
    assert violation.why == budget.not_reached[name]
    assert violation.why == (
        f"{name} = 20 is not reached: {spent:.4g} after the trim, since no weight that is trained scales the currents into "
        "'1'. Train one there, or raise the limit."
    )


def test_a_limit_that_is_kept_without_a_trim_needs_no_words() -> None:
    model, budget = constant(lambda layer: layer)
    x = torch.ones(8, 10, 4)
    budget.backward(model(x).mean())
    budget.step()
    budget.trim(lambda: model(x))
    assert budget.not_reached == {}
