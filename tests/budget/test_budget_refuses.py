"""What cannot be meant or met is said, with what to do."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import picojoule
from picojoule.budget import (
    BudgetWarning,
    Controller,
    EnergyLimit,
    RateBound,
    SynopsLimit,
    make_trainable,
)
from picojoule.energy import profile
from picojoule.layers import IAF, LIF, IAFSqueeze, SumPool2d
from picojoule.synops import fixed
from tests.budget.networks import network


def monitored(model: nn.Module, *shape: int) -> picojoule.Monitor:
    monitor = picojoule.Monitor(model).attach()
    model(torch.ones(shape or (2, 4, 20)))
    return monitor


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing is limited"),
        ({"synops_per_timestep": 0.0}, "a limit is 0.0, expected a finite number > 0"),
        ({"synops_per_sample": {"2": -1.0}}, "a limit is -1.0"),
        ({"energy_j": float("nan"), "profile": "loihi"}, "a limit is nan"),
        ({"min_rate": 0.0}, "min_rate is 0.0"),
        ({"min_rate": 0.5, "max_rate": 0.1}, "min_rate is 0.5, above max_rate 0.1"),
        ({"min_rate": {"1": 0.5}, "max_rate": 0.1}, "min_rate of layer '1' is 0.5, above max_rate"),
        ({"synops_per_timestep": {"22": 1.0}}, "no module '22'. Did you mean '2'?"),
        ({"synops_per_timestep": 1.0, "per": "group", "groups": {"a": ["x4"]}}, "Did you mean '4'"),
        ({"max_rate": {"11": 1.0}}, "no module '11'. Did you mean '1'?"),
        ({"synops_per_timestep": 1.0, "per": "neuron"}, "per is 'neuron'; choose one of"),
        ({"synops_per_timestep": 1.0, "per": "group"}, "needs groups="),
        ({"energy_j": 1e-6}, "energy_j needs a profile"),
        ({"min_rate": 0.1, "margin": 1.0}, "margin is 1.0"),
        ({"synops_per_timestep": {"1": 5.0}}, "no counted layer '1'. Did you mean '4'?"),
        ({"constraints": [SynopsLimit(layers=("3",), bound=1.0)]}, "no counted layer '3'"),
        ({"min_rate": {"2": 0.5}}, "no spiking layer '2'. Did you mean '3'?"),
        ({"constraints": [RateBound(layer="0", bound=0.1)]}, "no spiking layer '0'"),
        ({"synops_per_second": 5.0}, "dt_s is None"),
        ({"synops_per_second": 5.0, "dt_s": -1.0}, "dt_s is -1.0"),
        ({"synops_per_timestep": 1.0, "groups": {"a": []}}, "with a layer in each"),
        (
            {"synops_per_timestep": 1.0, "groups": {"a": ["2"]}},
            "no limit is for any of the groups 'a'",
        ),
        ({"synops_per_timestep": {"2": 1.0}, "groups": {"a": ["2"]}}, "per='group'"),
        ({"synops_per_timestep": {}}, "a bound names no layer"),
        ({"min_rate": 0.1, "max_rate": {}}, "a bound names no layer"),
        ({"min_rate": 0.1, "rate_of": "synapse"}, "of is 'synapse'; choose"),
        ({"min_rate": 0.1, "rate_percentile": 101.0}, "percentile is 101.0"),
        ({"max_rate": 0.1, "rate_percentile": 101.0}, "max_rate of percentile 101"),
        ({"synops_per_second": 5.0, "dt_s": math.inf}, "dt_s is inf"),
        ({"synops_per_timestep": 10**400}, "expected a finite number > 0"),
        ({"synops_per_timestep": 1.0, "steps": -3}, "steps is -3, expected a whole number"),
        ({"synops_per_timestep": 1.0, "steps": 2.5}, "steps is 2.5"),
        ({"synops_per_timestep": 1.0, "warmup_steps": 1.5}, "warmup_steps is 1.5"),
        ({"synops_per_timestep": 1.0, "margin": "a"}, "margin is 'a'"),
        ({"synops_per_timestep": 1.0, "within": "a"}, "within is 'a'"),
        (
            {"synops_per_timestep": {"2": 5.0}, "groups": {"2": ["4"]}},
            "group '2' of the layers ['4'] has the name of another layer",
        ),
        (
            {"constraints": [SynopsLimit(layers=("2",), bound=b) for b in (5.0, 1e6)]},
            "two constraints have the name 'synops_per_timestep of 2'",
        ),
        (
            {
                "constraints": [
                    EnergyLimit(bound=1e-12, profile=profile("loihi")),
                    EnergyLimit(bound=1.0, profile=profile("truenorth")),
                ]
            },
            "two constraints have the name 'energy_j of the model'",
        ),
    ],
)
def test_what_cannot_be_meant(options, message: str) -> None:
    with pytest.raises(ValueError, match="Budget") as error:
        picojoule.Budget(picojoule.Monitor(network()), **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synops_per_timestep": "1e5"}, "a limit is '1e5', expected a finite number > 0"),
        ({"synops_per_sample": [1.0, 2.0]}, "a limit is [1.0, 2.0], expected"),
        ({"energy_j": {"2": None}, "profile": "loihi"}, "a limit is None"),
        ({"min_rate": "0.1"}, "min_rate is '0.1', expected"),
        ({"min_rate": (0.1, 0.2), "max_rate": 1.0}, "min_rate is (0.1, 0.2), expected"),
        ({"synops_per_timestep": True}, "a limit is True"),
        ({"synops_per_timestep": torch.ones(2)}, "a limit is tensor"),
        ({"synops_per_timestep": {2: 5.0}}, "a bound is for 2, expected the name"),
        ({"synops_per_second": 1.0, "dt_s": "1"}, "dt_s is '1'"),
        ({"synops_per_timestep": {"a": 5.0}, "groups": {"a": "24"}}, "group 'a' is '24'"),
        ({"synops_per_timestep": 5.0, "groups": ["2"]}, "groups is ['2'], expected a dict"),
        ({"synops_per_timestep": 5.0, "unreachable": "2"}, "unreachable is '2', expected a list"),
        ({"synops_per_timestep": 5.0, "controller": None}, "expected a Controller"),
        ({"synops_per_timestep": 5.0, "split_range": 3}, "expected a SplitRange"),
        ({"constraints": SynopsLimit(bound=5.0)}, "expected a list"),
        ({"constraints": ["x"]}, "constraints has 'x', expected a SynopsLimit"),
    ],
)
def test_bounds_that_are_no_numbers(options, message: str) -> None:
    with pytest.raises(TypeError, match="Budget") as error:
        picojoule.Budget(picojoule.Monitor(network()), **options)
    assert message in str(error.value)


def test_a_model_in_place_of_its_monitor() -> None:
    with pytest.raises(TypeError, match=r"got a Sequential, expected a Monitor of the model"):
        picojoule.Budget(network(), min_rate=0.1)  # type: ignore[arg-type]


def test_a_profile_that_is_not_there() -> None:
    with pytest.raises((KeyError, ValueError), match="loihi"):
        picojoule.Budget(picojoule.Monitor(network()), energy_j=1e-6, profile="loihu")


def test_a_layer_that_turns_out_to_have_no_synapses() -> None:
    model = nn.Sequential(nn.Linear(20, 5), nn.BatchNorm1d(4), IAF(), nn.Linear(5, 2))
    monitor = monitored(model)
    budget = picojoule.Budget(monitor, synops_per_timestep={"1": 5.0})
    with pytest.raises(ValueError, match="no counted layer '1'"):
        budget.penalty()


def test_a_model_without_spikes() -> None:
    monitor = picojoule.Monitor(nn.Sequential(nn.Linear(20, 5), nn.ReLU(), nn.Linear(5, 2)))
    with pytest.raises(ValueError, match="no spiking layer"):
        picojoule.Budget(monitor, synops_per_timestep=5.0)


def test_spiking_modules_of_the_users_own_are_known_at_once() -> None:
    model = nn.Sequential(nn.Linear(20, 5), nn.ReLU(), nn.Linear(5, 2))
    monitor = picojoule.Monitor(model, spiking=["1"], time_axis="bt")
    assert monitor.spiking_layers == ("1",)
    picojoule.Budget(monitor, max_rate={"1": 0.5})


def test_macs_that_the_profile_has_no_price_for() -> None:
    model = network()
    monitor = picojoule.Monitor(model).attach()
    model(torch.rand(2, 4, 20))
    with pytest.raises(ValueError, match="no price for MACs"):
        picojoule.Budget(monitor, energy_j=1e-6, profile="loihi").penalty()


def test_a_layer_whose_input_is_given_is_said_once_and_left_out() -> None:
    monitor = monitored(network())
    budget = picojoule.Budget(monitor, synops_per_timestep=100.0, per="layer")
    with pytest.warns(BudgetWarning, match="of 0 = 100 cannot be reached .* 1200 come from '0'"):
        penalty = budget.penalty()
    assert penalty.isfinite()
    assert list(budget.unreachable) == ["synops_per_timestep of 0"]
    assert budget.multipliers.keys() == {"synops_per_timestep of 2", "synops_per_timestep of 4"}
    budget.penalty()  # warnings are errors here: there is no second one
    (first, *_) = budget.violations()
    assert first.name == "synops_per_timestep of 0"
    assert "cannot be reached" in str(first)


def test_the_given_part_of_a_sum_alone_is_too_much() -> None:
    budget = picojoule.Budget(monitored(network()), synops_per_timestep=1100.0)
    with pytest.warns(BudgetWarning, match="1200 come from '0'"):
        assert budget.penalty().item() == 0.0


def test_joules_of_neuron_updates_alone_are_too_much() -> None:
    model = nn.Sequential(LIF(tau_mem=5.0), nn.Linear(20, 4))
    make_trainable(model)
    monitor = monitored(model)
    budget = picojoule.Budget(monitor, energy_j=1e-12, profile="loihi")
    updates = 20 * 4 * profile("loihi").neuron_update_j
    with pytest.warns(BudgetWarning, match=f"{updates:.4g} come from the updates of the neurons"):
        assert budget.penalty().item() == 0.0
    assert list(budget.unreachable) == ["energy_j of the model"]


def test_joules_that_cannot_change_name_all_that_spend_them() -> None:
    budget = picojoule.Budget(monitored(network()), energy_j=1e-12, profile="loihi")
    with pytest.warns(BudgetWarning, match="come from '0', the updates of the neurons, where"):
        budget.penalty()


def test_a_given_layer_within_its_limit_is_no_matter() -> None:
    budget = picojoule.Budget(monitored(network()), synops_per_timestep={"0": 1200.0})
    assert budget.penalty().item() == 0.0
    budget.step()
    assert budget.met
    assert budget.unreachable == {}


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3),
        IAFSqueeze(batch_size=2),
        SumPool2d(2, silent_gradient=True),
        nn.Conv2d(2, 3, 2),
        IAFSqueeze(batch_size=2),
        nn.Flatten(),
        nn.Linear(12, 5),
    )


# 2 x 6 x 6 neurons, pooled to 2 x 3 x 3: a window has 4 neurons; its fan-out into 3 kernels of 2 x 2 is 3 in the
# 4 corners, 6 at the 4 edges, 12 in the middle: 4 * 2 * (4 * 3 + 4 * 6 + 12) = 384 for one spike of each neuron
@pytest.mark.parametrize(
    ("limit", "of", "found"),
    [
        (191.0, "neuron", True),
        (193.0, "neuron", False),
        (107.0, "layer", True),
        (109.0, "layer", False),
    ],
)
def test_floors_that_a_limit_cannot_afford(limit: float, of: str, found: bool) -> None:
    monitor = monitored(convolutional(), 4, 1, 8, 8)
    budget = picojoule.Budget(
        monitor, synops_per_timestep={"3": limit}, min_rate={"1": 0.5}, rate_of=of
    )
    if found:
        with pytest.warns(BudgetWarning, match="more than synops_per_timestep of 3 .* limit wins"):
            budget.penalty()
    else:
        budget.penalty()
    assert bool(budget.infeasible) is found


def infeasible(
    model: nn.Module, *shape: int, limit: Any, floor: Any, of: Any, **options: Any
) -> bool:
    """Whether a floor of 0.5 is said to be out of a limit's reach; the first layer gets values, which are no SynOps."""
    monitor = picojoule.Monitor(model, **options).attach()
    model(torch.full(shape, 0.5))
    budget = picojoule.Budget(
        monitor, synops_per_timestep=limit, min_rate={floor: 0.5}, rate_of=of, unreachable=[floor]
    )
    budget.begin()
    return bool(budget.infeasible)


@pytest.mark.parametrize("of", ["neuron", "layer"])
def test_floors_are_judged_by_the_synapses_that_count(of: str) -> None:
    """20 neurons with one synapse of ten left each: a rate of 0.5 spends 10, or 100 where pruned weights count."""

    def pruned() -> nn.Sequential:
        model = nn.Sequential(nn.Linear(4, 20), IAF(), nn.Linear(20, 10))
        mask = torch.zeros(10, 20)
        mask[torch.arange(20) % 10, torch.arange(20)] = 1
        prune.custom_from_mask(model[2], "weight", mask)
        return model

    for weights, spent in (("nonzero", 10), ("all", 100)):
        for limit, found in ((spent - 0.1, True), (spent + 0.1, False)):
            for bound in (limit, {"2": limit}):
                judged = infeasible(
                    pruned(), 2, 6, 4, limit=bound, floor="1", of=of, weights=weights
                )
                assert judged is found


def test_floors_before_a_pruned_convolution() -> None:
    """Of 3 kernels one is left: a third of 384 synapses (above) for a spike of each neuron, at a rate of 0.5."""
    for limit, found in ((63.0, True), (65.0, False)):
        model = convolutional()
        with torch.no_grad():
            model[3].weight[1:] = 0
        options = {"limit": {"3": limit}, "floor": "1", "of": "neuron", "weights": "nonzero"}
        assert infeasible(model, 4, 1, 8, 8, **options) is found


def test_floors_before_layers_that_are_counted_in_another_way() -> None:
    """6 neurons at a rate of 0.5 and 8 synapses each spend 24, but for who counts them so."""

    def of_the_layer(_: nn.Module, x: torch.Tensor) -> list[Any]:
        return [fixed(x, 1.0, leading=2)]

    def of_the_function(x: torch.Tensor, *_: Any) -> list[Any]:
        return [fixed(x, 1.0, leading=2)]

    options: list[dict[str, Any]] = [
        {},
        {"ignore": ["2"]},
        {"formulas": {nn.Linear: of_the_layer}},
        {"formulas": {nn.functional.linear: of_the_function}},
    ]
    for each in options:
        model = nn.Sequential(nn.Linear(4, 6), IAF(), nn.Linear(6, 8), IAF(), nn.Linear(8, 1))
        judged = infeasible(model, 2, 6, 4, limit=23.0, floor="1", of="layer", **each)
        assert judged is (not each)


def test_a_floor_before_a_layer_that_stands_in_two_places() -> None:
    """The next layer is the first once more: 6 neurons with 6 synapses each, at a rate of 0.5, spend 18, not 150."""
    twice = nn.Linear(6, 6)
    model = nn.Sequential(twice, IAF(), twice, nn.Linear(6, 50))
    assert not infeasible(model, 2, 6, 6, limit=100.0, floor="1", of="layer")


def test_a_floor_before_a_layer_that_takes_all_steps_at_once() -> None:
    """6 steps of 6 neurons make 36 inputs of the next layer: nothing is said of one step."""
    model = nn.Sequential(nn.Linear(4, 6), IAF(), nn.Flatten(), nn.Linear(36, 50))
    assert not infeasible(model, 2, 6, 4, limit=1.0, floor="1", of="layer")


def test_per_sample_and_second_are_compared_in_their_unit() -> None:
    monitor = monitored(convolutional(), 4, 1, 8, 8)  # batch 2, so 2 steps of a sample
    limits = [
        SynopsLimit(layers=("3",), bound=383.0, per="sample"),
        SynopsLimit(layers=("3",), bound=191e3, per="second", dt_s=1e-3),
    ]
    floor = RateBound(layer="1", bound=0.5, of="neuron")
    for limit in limits:
        budget = picojoule.Budget(monitor, constraints=[floor, limit])
        with pytest.warns(BudgetWarning, match="alone makes"):
            budget.penalty()


def test_a_penalty_that_is_not_finite_names_its_constraint() -> None:
    model = nn.Sequential(nn.Linear(20, 6), IAF(), nn.Linear(6, 2))
    monitor = monitored(model)
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 0.1})
    budget.penalty()
    with torch.no_grad():
        model[0].weight.fill_(float("nan"))
    picojoule.reset_states(model)
    model(torch.ones(2, 4, 20))
    with pytest.raises(FloatingPointError, match="penalty is nan, from synops_per_timestep of 2"):
        budget.penalty()


def test_what_is_not_a_number_is_not_kept() -> None:
    model = nn.Sequential(nn.Linear(20, 6), IAF(), nn.Linear(6, 2))
    monitor = monitored(model)
    budget = picojoule.Budget(monitor, synops_per_timestep={"2": 1e6}, max_rate=10.0)
    assert budget.met
    with torch.no_grad():
        model[0].weight.fill_(float("nan"))
    picojoule.reset_states(model)
    model(torch.ones(2, 4, 20))
    found = budget.violations(monitor)
    assert [each.name for each in found] == ["synops_per_timestep of 2", "max_rate of 1"]
    assert all(math.isnan(each.excess) for each in found)
    assert not budget.met


def test_a_step_needs_a_penalty() -> None:
    budget = picojoule.Budget(monitored(network()), synops_per_timestep={"2": 5.0})
    with pytest.raises(RuntimeError, match="step\\(\\) without a penalty"):
        budget.step()


def test_the_state_of_another_budget() -> None:
    one = picojoule.Budget(monitored(network()), synops_per_timestep={"2": 5.0})
    one.penalty()
    other = picojoule.Budget(monitored(network()), synops_per_timestep={"4": 5.0})
    other.load_state_dict(one.state_dict())
    with pytest.raises(
        ValueError, match=r"constraints .'synops_per_timestep of 2'., this budget's"
    ):
        other.penalty()


def hidden(neurons: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(20, neurons), IAF(), nn.Linear(neurons, 4))


def test_the_state_of_a_network_of_another_size() -> None:
    one = picojoule.Budget(monitored(hidden(6)), min_rate=0.1, rate_of="neuron")
    one.penalty()
    other = picojoule.Budget(monitored(hidden(5)), min_rate=0.1, rate_of="neuron")
    other.load_state_dict(one.state_dict())
    message = r"min_rate of each neuron of 1 has shape \(5,\) now and had \(6,\) before"
    with pytest.raises(ValueError, match=message):
        other.penalty()


class Pooled(nn.Module):
    """As many neurons as the input has places."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.spike = nn.Conv1d(1, 2, 1), IAFSqueeze(batch_size=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.spike(self.scale(x))


@pytest.mark.parametrize("of", ["neuron", "channel"])
@pytest.mark.parametrize("way", ["penalty", "backward", "begin", "saved", "micro-batch"])
def test_inputs_of_another_size_than_before(way: str, of: Any) -> None:
    """What is kept for each neuron is kept by its place; a mean over channels is not."""
    model = Pooled()
    monitor = picojoule.Monitor(model).attach()
    make = lambda: picojoule.Budget(monitor, min_rate=0.1, rate_of=of)  # noqa: E731
    budget = make()

    def step(size: int, ends: bool = True) -> None:
        picojoule.reset_states(model)
        y = model(torch.rand(8, 1, size))
        if way == "penalty":
            (y.mean() + budget.penalty()).backward()
        else:
            budget.backward(y.mean())
        if ends:
            budget.step()

    if way == "begin":
        model(torch.rand(8, 1, 5))
        budget.begin()
    else:
        step(5, ends=way != "micro-batch")
    if way == "saved":
        state, budget = budget.state_dict(), make()
        budget.load_state_dict(state)
    before = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    if of == "channel":
        step(6)
        return
    with pytest.raises(ValueError, match=r"has shape \(2, 6\) now and had \(2, 5\) before"):
        step(6)
    for p, gradient in zip(model.parameters(), before, strict=True):
        assert p.grad is gradient is None or torch.equal(p.grad, gradient)
    step(5)


@pytest.mark.parametrize("options", [{"tighten": 0.0}, {"tighten": 1.1}, {"warmup_steps": -1}])
def test_schedules_out_of_range(options) -> None:
    with pytest.raises(ValueError, match=r"Schedule: expected|warmup_steps is -1, expected"):
        picojoule.Budget(picojoule.Monitor(network()), min_rate=0.1, **options)


@pytest.mark.parametrize(
    "options", [{"integral": 0.0}, {"decay": 1.0}, {"width": 0.0}, {"least": 1.0}]
)
def test_controllers_out_of_range(options) -> None:
    with pytest.raises(ValueError, match="Controller: expected"):
        Controller(**options)


def test_bounds_made_by_hand_are_checked_too() -> None:
    for make in (
        lambda: SynopsLimit(bound=-1.0),
        lambda: EnergyLimit(bound=0.0, profile=profile("loihi")),
        lambda: RateBound(layer="1", bound=float("inf")),
        lambda: RateBound(layer="1", bound=1.0, percentile=101.0),
        lambda: RateBound(layer="1", bound=1.0, of="channel", percentile=50.0),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()


def test_what_is_no_state_of_a_budget_is_refused() -> None:
    model = network()
    with picojoule.Monitor(model) as monitor:
        budget = picojoule.Budget(monitor, synops_per_timestep={"2": 10.0})
        for wrong in ({"a": 1}, {"model": model.state_dict(), "budget": {}}):
            with pytest.raises(ValueError, match=r"no constraint's state; expected what Budget"):
                budget.load_state_dict(wrong)


def test_a_layer_that_a_pass_leaves_out_is_named() -> None:
    class Dropped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(20, 20), nn.Linear(20, 20), nn.Linear(20, 4)
            self.fire, self.fires, self.skips = IAF(), IAF(), False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.fire(self.a(x))
            return self.c(x if self.skips else self.fires(self.b(x)))

    model = Dropped()
    x = torch.ones(4, 5, 20)
    with picojoule.Monitor(model) as monitor:
        budget = picojoule.Budget(monitor, synops_per_timestep={"b": 5.0}, steps=8)
        budget.backward(model(x).square().mean())
        budget.step()
        model.skips = True
        picojoule.reset_states(model)
        answer = model(x)
        with pytest.raises(ValueError, match=r"'(b|fires)' was not called in this forward pass"):
            budget.backward(answer.square().mean())
