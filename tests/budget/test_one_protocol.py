"""Every constraint keeps the protocol: what a SynOp adds, what it names, what it refuses."""

import pytest
import torch
from torch import nn

import picojoule
from picojoule.budget import Budget, BudgetWarning, EnergyLimit, RateBound, SynopsLimit
from picojoule.budget.constraints import Constraint
from picojoule.energy import profile
from picojoule.layers import IAF
from tests.budget.networks import network

LOIHI, INT8 = profile("loihi"), profile("45nm-int8+step")
LIMITS: dict[str, SynopsLimit | EnergyLimit] = {
    "step": SynopsLimit(layers=("0",), bound=1.0),
    "sample": SynopsLimit(layers=("0",), bound=1.0, per="sample"),
    "second": SynopsLimit(layers=("0",), bound=1.0, per="second", dt_s=1e-3),
    "joules": EnergyLimit(layers=("0",), bound=1.0, profile=LOIHI),
    "joules with memory": EnergyLimit(layers=("0",), bound=1.0, profile=INT8),
}
RATES = [RateBound(layer="1", bound=0.1), RateBound(layer="1", bound=0.1, upper=True)]


def seen(inputs_on: int, time: int) -> picojoule.Monitor:
    """Layer 0, 20 to 60, with so many of its inputs on in each of some steps."""
    model = network()
    monitor = picojoule.Monitor(model).attach()
    model((torch.arange(20) < inputs_on).float().expand(2, time, 20))
    return monitor


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("time", [1, 7])
def test_the_factor_is_what_a_synop_a_step_adds(name: str, time: int) -> None:
    few, many = (LIMITS[name].read(seen(on, time)).value.item() for on in (3, 13))
    assert many - few == pytest.approx(10 * 60 * LIMITS[name].factor(float(time)))


@pytest.mark.parametrize("constraint", [*LIMITS.values(), *RATES], ids=lambda each: each.name)
def test_what_spends_has_a_price_and_what_does_not_has_none(constraint: Constraint) -> None:
    assert constraint.spends == (constraint.factor(3.0) > 0)
    assert constraint.spends == bool(constraint.counted_layers)
    assert constraint.spends != bool(constraint.spiking_layers)
    assert constraint.is_floor == (not constraint.upper)


@pytest.mark.parametrize(
    "constraint",
    [
        SynopsLimit(layers=("7",), bound=1.0),
        EnergyLimit(layers=("7",), bound=1.0, profile=LOIHI),
        RateBound(layer="7", bound=0.1),
    ],
    ids=lambda each: each.name,
)
def test_each_refuses_what_the_model_does_not_have(constraint: Constraint) -> None:
    with pytest.raises(ValueError, match=r"prune: the model has no .* layer '7'"):
        constraint.check(seen(3, 1), "prune")


def test_a_floor_that_joules_cannot_afford_is_proved_too() -> None:
    """50 neurons at 0.5 spikes into 4 outputs are 100 SynOps a step, 400 in 4 steps."""
    model = nn.Sequential(nn.Linear(20, 50), IAF(), nn.Linear(50, 4))
    monitor = picojoule.Monitor(model).attach()
    model(torch.ones(2, 4, 20))
    spent = 400 * LOIHI.synop_j
    floor = RateBound(layer="1", bound=0.5, of="neuron")
    for share, found in ((0.99, True), (1.01, False)):
        limit = EnergyLimit(layers=("2",), bound=share * spent, profile=LOIHI)
        budget = Budget(monitor, constraints=[floor, limit])
        if found:
            with pytest.warns(BudgetWarning, match="alone makes layer '2' spend"):
                budget.begin()
        else:
            budget.begin()
        assert bool(budget.infeasible) is found


def test_to_begin_is_to_know_what_is_out_of_reach_and_no_step() -> None:
    monitor = seen(20, 4)
    budget, other = (Budget(monitor, synops_per_timestep=900.0) for _ in range(2))
    with pytest.warns(BudgetWarning, match="1200 come from '0'"):
        budget.begin()
    assert list(budget.unreachable) == ["synops_per_timestep of the model"]
    with pytest.raises(RuntimeError, match="without a penalty"):
        budget.step()
    with pytest.warns(BudgetWarning):
        other.penalty()
    assert budget.penalty().item() == other.penalty().item()
    one, two = budget.state_dict(), other.state_dict()
    assert str(one) == str(two)


def test_to_begin_needs_gradients() -> None:
    budget = Budget(seen(20, 4), synops_per_timestep=900.0)
    with torch.no_grad(), pytest.raises(RuntimeError, match="only gradients tell"):
        budget.begin()
    assert budget.multipliers == {}


@pytest.mark.parametrize(
    ("share", "within", "broken"),
    [
        (1.0, 0.05, []),
        (0.96, 0.05, []),
        (0.94, 0.05, [True]),
        (0.1, None, []),
        (1.02, 0.05, [False]),
    ],
)
def test_a_limit_is_two_sided_on_request(
    share: float, within: float | None, broken: list[bool]
) -> None:
    """Layer 0 spends 1200; a ceiling on rates is no limit on spending, however far below it is."""
    budget = Budget(
        seen(20, 4), synops_per_timestep={"0": 1200 / share}, max_rate=1e3, within=within
    )
    found = budget.violations()
    assert [each.below for each in found] == broken
    assert budget.met is not bool(broken)
    for each in found:
        assert each.excess == pytest.approx(abs(1 - share))
        assert ("it spends less than it may" in str(each)) is each.below


@pytest.mark.parametrize("within", [0.0, 0.01, 1.0])
def test_what_is_left_over_has_to_be_more_than_the_margin(within: float) -> None:
    with pytest.raises(ValueError, match=f"within is {within}, expected a share in"):
        Budget(seen(20, 4), synops_per_timestep=900.0, within=within)
