"""Limits that what is given exceeds by itself: the trained rest is still held down, and nothing is called met."""

import warnings

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule.budget import Budget, BudgetWarning, EnergyLimit, SynopsLimit
from picojoule.budget.constraints import Reading
from picojoule.budget.reach import LEAST_ACTIVITY, Reach
from picojoule.energy import profile
from tests.budget.networks import network, train

TIME = 4
GIVEN = 20 * 60  # SynOps a step of layer 0, all of whose inputs are on
TRAINED = 60 * 40 + 40 * 4  # synapses of layers 2 and 4
LOIHI = profile("loihi")

# what is limited, what is given of it, and the floor of the rest, in the unit of the bound
SCOPES = {
    "step": (lambda b: {"synops_per_timestep": b}, GIVEN, TRAINED),
    "sample": (lambda b: {"synops_per_sample": b}, TIME * GIVEN, TIME * TRAINED),
    "second": (
        lambda b: {"synops_per_second": b, "dt_s": 1e-3},
        1e3 * GIVEN,
        1e3 * TRAINED,
    ),
    "group": (
        lambda b: {
            "synops_per_timestep": b,
            "per": "group",
            "groups": {"core": ["0", "2"]},
        },
        GIVEN,
        60 * 40,
    ),
    "group by name": (
        lambda b: {"synops_per_sample": {"core": b}, "groups": {"core": ["0", "2", "4"]}},
        TIME * GIVEN,
        TIME * TRAINED,
    ),
    "by hand": (
        lambda b: {"constraints": [SynopsLimit(layers=("0", "2", "4"), bound=b)]},
        GIVEN,
        TRAINED,
    ),
    "joules": (
        lambda b: {"energy_j": b, "profile": "loihi"},
        TIME * (GIVEN * LOIHI.synop_j + 100 * LOIHI.neuron_update_j),
        TIME * TRAINED * LOIHI.synop_j,
    ),
    "joules with memory": (
        lambda b: {"energy_j": b, "profile": "45nm-int8+step"},
        TIME * GIVEN * (0.03e-12 + 5 * 24.96e-12),
        TIME * TRAINED * (0.03e-12 + 5 * 24.96e-12),
    ),
    "joules of layers": (
        lambda b: {"constraints": [EnergyLimit(layers=("0", "2"), bound=b, profile=LOIHI)]},
        TIME * GIVEN * LOIHI.synop_j,
        TIME * 60 * 40 * LOIHI.synop_j,
    ),
}
every_scope = pytest.mark.parametrize("scope", SCOPES)


def watched(x: Tensor | None = None) -> tuple[nn.Sequential, picojoule.Monitor]:
    model = network()
    monitor = picojoule.Monitor(model).attach()
    model(torch.ones(2, TIME, 20) if x is None else x)
    return model, monitor


def told(budget: Budget) -> tuple[Tensor, list[str]]:
    """The penalty, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BudgetWarning)
        penalty = budget.penalty()
    return penalty, [str(each.message) for each in caught]


@every_scope
def test_the_penalty_pulls_at_the_rest(scope: str) -> None:
    options, given, dense = SCOPES[scope]
    model, monitor = watched()
    budget = Budget(monitor, tighten=1.0, **options(0.9 * given))
    penalty, (warning,) = told(budget)
    (name,) = budget.unreachable
    assert list(budget.multipliers) == [name]
    assert (
        f"{name} = {0.9 * given:g} cannot be reached by training: {given:.4g} come from '0'"
        in warning
    )
    assert f"driven down to {LEAST_ACTIVITY * dense:.4g}" in warning
    assert f"the least is {given + LEAST_ACTIVITY * dense:.4g} in all" in warning
    weight = model[0].weight
    (pull,) = torch.autograd.grad(penalty, weight, retain_graph=True)
    reading = budget._constraints[name].read(monitor)
    (slope,) = torch.autograd.grad(reading.value, weight)
    assert pull.any()
    torch.testing.assert_close(pull / pull.norm(), slope / slope.norm())
    assert penalty.item() > 0


@every_scope
def test_it_is_not_met_unless_it_was_declared(scope: str) -> None:
    options, given, _ = SCOPES[scope]
    _, monitor = watched()
    budget = Budget(monitor, **options(0.9 * given))
    told(budget)
    budget.step()
    (found,) = budget.violations()
    assert found.value > given
    assert "cannot be reached" in found.why
    assert not budget.met
    assert [each.name for each in budget.violations(monitor)] == [found.name]
    declared = Budget(monitor, unreachable=[found.name], **options(0.9 * given))
    _, warned = told(declared)
    assert warned == []
    assert declared.met
    assert [each.name for each in declared.violations()] == [found.name]


def test_training_drives_the_rest_to_the_floor_and_no_further() -> None:
    model, monitor = watched()
    given = 0.26 * 20 * 60  # mean input of the task
    budget = Budget(monitor, synops_per_timestep=0.8 * given)
    with pytest.warns(BudgetWarning, match="cannot be reached"):
        train(model, budget, steps=250, lr=2e-3)
    rest = (monitor.synops["2"] + monitor.synops["4"]).item()
    floor = LEAST_ACTIVITY * TRAINED
    assert 0.5 * floor < rest < 1.5 * floor
    assert not budget.met


def steps(budget: Budget, model: nn.Sequential, share: float, number: int) -> list[str]:
    """Some steps of a budget with so many of the inputs on; what it warned of."""
    warned = []
    x = (torch.arange(20) < share * 20).float().expand(2, TIME, 20)
    for _ in range(number):
        picojoule.reset_states(model)
        model(x)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", BudgetWarning)
            budget.penalty()
            budget.step()
        warned += [str(each.message) for each in caught]
    return warned


def test_a_limit_comes_into_reach_and_leaves_it_as_the_data_change() -> None:
    model, monitor = watched()
    budget = Budget(monitor, synops_per_timestep=0.9 * GIVEN)
    name = "synops_per_timestep of the model"
    assert steps(budget, model, 0.25, 3) == []
    assert budget.unreachable == {}
    before = budget.multipliers[name].item()
    (warning,) = steps(budget, model, 1.0, 8)
    assert f"{name} = 1080 cannot be reached" in warning
    assert list(budget.unreachable) == [name]
    assert budget.multipliers[name].item() >= before
    assert not budget.met
    total = monitor.synops.total.item()
    # of given and rest together
    assert budget.violations()[0].value == pytest.approx(total, rel=0.02)
    assert steps(budget, model, 0.25, 8) == []
    assert budget.unreachable == {}


def test_weights_that_are_frozen_later_are_told_once() -> None:
    model, monitor = watched()
    assert monitor.synops.total > GIVEN + 1
    budget = Budget(monitor, synops_per_timestep=GIVEN + 1.0)
    assert steps(budget, model, 1.0, 2) == []
    model.requires_grad_(False)
    (warning,) = steps(budget, model, 1.0, 3)
    assert "come from '0', '2', '4'" in warning
    assert "Nothing can pull at it" in warning
    assert not budget.met


def test_several_limits_are_judged_each_by_itself() -> None:
    _, monitor = watched()
    budget = Budget(
        monitor,
        synops_per_timestep={"2": 1e6},
        synops_per_sample=1e6,
        energy_j={"0": 1e-12, "4": 1e-3},
        profile="loihi",
    )
    told(budget)
    assert list(budget.unreachable) == ["energy_j of 0"]
    assert [each.name for each in budget.violations()] == ["energy_j of 0"]
    assert budget.multipliers.keys() == {
        "synops_per_timestep of 2",
        "synops_per_sample of the model",
        "energy_j of 4",
    }


@pytest.mark.parametrize("word", ["0", "synops_per_timestep of 0"])
def test_a_given_layer_is_declared_by_its_name_or_its_constraints(word: str) -> None:
    _, monitor = watched()
    limits = {"0": 100.0, "2": 1e6}
    unknown = Budget(monitor, synops_per_timestep=limits)
    told(unknown)
    assert not unknown.met
    known = Budget(monitor, synops_per_timestep=limits, unreachable=[word])
    assert told(known)[1] == []
    assert known.met
    assert [each.name for each in known.violations()] == ["synops_per_timestep of 0"]


def test_a_declaration_of_what_is_not_limited_is_refused() -> None:
    _, monitor = watched()
    budget = Budget(monitor, synops_per_timestep={"2": 1e6}, unreachable=["4"])
    with pytest.raises(ValueError, match=r"unreachable.*no constraint '4'"):
        budget.penalty()


def test_a_resume_is_exact_where_the_limit_is_out_of_reach() -> None:
    def budget_of(monitor: picojoule.Monitor) -> Budget:
        return Budget(monitor, synops_per_timestep=0.9 * GIVEN, max_rate=0.2)

    model, monitor = watched()
    whole = budget_of(monitor)
    steps(whole, model, 0.25, 2)  # in reach
    steps(whole, model, 1.0, 6)  # and out of it
    assert whole.unreachable
    resumed = budget_of(monitor)
    resumed.load_state_dict(whole.state_dict())
    for budget in (whole, resumed):
        steps(budget, model, 1.0, 3)
    assert resumed.unreachable.keys() == whole.unreachable.keys()
    one, other = whole.state_dict(), resumed.state_dict()
    for name in one:
        for key, value in one[name].items():
            assert value is other[name][key] or bool(
                torch.as_tensor(value == other[name][key]).all()
            )
    assert str(whole.violations()[0]) == str(resumed.violations()[0])


@pytest.mark.parametrize(
    ("given", "aim"),
    [
        (0.0, 99.0),  # a margin of 1 % inside the bound
        (90.0, 99.0),
        (99.0, 99.5),  # half of what is left, where the margin would take all of it
        (99.9, 99.95),
    ],
)
def test_what_is_left_is_never_aimed_below(given: float, aim: float) -> None:
    _, monitor = watched()
    limit = SynopsLimit(bound=100.0)
    reach = Reach(decay=0.0)
    reach.see(limit.name, Reading(torch.tensor(150.0), torch.tensor(given), ("0",)))
    assert reach.judge({limit.name: limit}, monitor) == ()
    assert reach.aim(limit, margin=0.01) == pytest.approx(aim)


def test_a_limit_comes_back_as_soon_as_it_leaves_the_rest_something() -> None:
    """Not only when it leaves the rest the least activity, which may be many times as much."""
    _, monitor = watched()
    limit = SynopsLimit(bound=100.0)
    reach = Reach(decay=0.0)
    out = []
    for given in (110.0, 99.5, 98.0, 99.5, 101.0):
        reach.see(limit.name, Reading(torch.tensor(150.0), torch.tensor(given), ("0",)))
        reach.judge({limit.name: limit}, monitor)
        out.append(limit.name in reach.out)
    assert LEAST_ACTIVITY * TRAINED > 2.0  # all that 98 leaves
    assert out == [True, True, False, False, True]


def test_a_limit_a_little_above_what_is_given_drives_the_rest_to_what_is_left() -> None:
    model, monitor = watched()
    given = 0.26 * 20 * 60  # mean input of the task
    budget = Budget(monitor, synops_per_timestep=1.05 * given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BudgetWarning)  # of batches with more input than most
        train(model, budget, steps=250, lr=2e-3)
    rest = (monitor.synops["2"] + monitor.synops["4"]).item()
    assert 0 < rest < 0.1 * given


def test_the_noise_of_batches_does_not_put_a_limit_out_of_reach() -> None:
    """100 is 2.5 standard deviations of the average above the mean of what is given."""
    _, monitor = watched()
    limit = SynopsLimit(bound=100.0)
    reach, random = Reach(decay=0.6), torch.Generator().manual_seed(0)
    changes = 0
    for _ in range(400):
        given = 95 + 4 * torch.randn((), generator=random)
        reach.see(limit.name, Reading(torch.tensor(150.0), given, ("0",)))
        changes += len(reach.judge({limit.name: limit}, monitor))
    assert changes <= 2
