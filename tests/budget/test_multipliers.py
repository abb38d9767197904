"""The controller by itself: what it does to numbers whose course is known."""

import math

import pytest
import torch
from torch import Tensor

from picojoule.budget.multipliers import Controller, Multiplier
from picojoule.budget.schedule import Schedule

AT_ONCE = Schedule(tighten=1.0)


def multiplier(
    first: float | Tensor, bound: float = 2.0, upper: bool = True, schedule: Schedule = AT_ONCE
) -> Multiplier:
    """One whose first value is this."""
    return Multiplier(bound, upper, Controller(), schedule, 1e3, torch.as_tensor(first))


def slope(of: Multiplier, value: float) -> float:
    x = torch.tensor(value, requires_grad=True)
    (gradient,) = torch.autograd.grad(of.penalty(x), x)
    return gradient.item()


def first_slope(value: float, bound: float = 2.0, upper: bool = True) -> float:
    return slope(multiplier(value, bound, upper), value)


def test_the_gradient_is_relative_above_a_limit() -> None:
    """10 and 100 times the limit pull equally on the logarithm of what is spent."""
    assert first_slope(20.0) * 20 == pytest.approx(first_slope(200.0) * 200)


def test_the_unit_does_not_matter() -> None:
    assert first_slope(3e6, 2e6) * 1e6 == pytest.approx(first_slope(3.0, 2.0))


def test_a_limit_pulls_at_the_limit_and_lets_go_below() -> None:
    at, below = first_slope(2.0), first_slope(1.4)
    assert at == pytest.approx(0.01 / 2)  # the first multiplier, by the limit
    assert below == pytest.approx(at * math.exp(-3 * 0.3 / 0.15))


def test_the_term_is_zero_where_the_limit_is_kept_and_grows_above() -> None:
    values = [multiplier(x).penalty(torch.tensor(x)).item() for x in (0.0, 1.0, 2.0, 3.0, 6.0)]
    assert values[:3] == [0.0, 0.0, 0.0]
    assert 0 < values[3] < values[4]


def test_a_floor_lifts_what_is_silent() -> None:
    floor = multiplier(0.0, 0.5, upper=False)
    assert floor.penalty(torch.tensor(0.0)).item() > 0
    assert first_slope(0.0, 0.5, upper=False) < 0
    assert first_slope(0.8, 0.5, upper=False) == pytest.approx(0, abs=1e-6)


def test_growth_while_violated_decay_while_kept_and_bounds_of_both() -> None:
    one = multiplier(4.0)
    for _ in range(200):
        one.update(torch.tensor(4.0))
    assert one.value.item() == pytest.approx(1e3)
    for _ in range(400):
        one.update(torch.tensor(0.5))
    assert one.value.item() == pytest.approx(1e-6)


def test_noise_around_the_target_does_not_drive_the_multiplier() -> None:
    noise = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * 0.1 + 1
    one = multiplier(noise[0], bound=1.0)
    for value in noise:
        one.update(value)
    assert 1e-3 < one.value.item() < 1e-1  # it began at 1e-2


def test_noise_around_the_target_does_not_reach_the_weight() -> None:
    """A batch 7 % above or below what the average is; further below, it lets go."""
    one = multiplier(1.0, bound=1.0)
    one.update(torch.tensor(1.0))
    steady = slope(one, 1.0)
    assert slope(one, 1.07) * 1.07 == pytest.approx(steady)
    assert slope(one, 0.93) == pytest.approx(steady)
    assert slope(one, 0.7) < 0.02 * steady


def test_each_neuron_has_its_own() -> None:
    rates = torch.tensor([0.0, 1.0])
    one = multiplier(rates, 0.5, upper=False)
    for _ in range(20):
        one.update(rates)
    silent, busy = one.value
    assert silent > 0.01 > busy


def test_a_limit_comes_down_from_where_the_model_is() -> None:
    one = multiplier(5.0, 1.0, schedule=Schedule(warmup_steps=3, tighten=0.1))
    targets: list[float] = []
    for _ in range(30):
        one.update(torch.tensor(5.0))
        targets.append(one.target.item())
    assert targets[:3] == [5.0] * 3
    way, expected = math.log(5), []
    for _ in range(3):
        way -= 0.1
        expected.append(math.exp(way))
    assert targets[3:6] == pytest.approx(expected)
    assert targets[-1] == 1.0
    near = [target for target in targets if 1 < target < 1.5]
    assert near[0] / near[1] > near[-2] / near[-1] > 1.03  # slower at the end


def test_a_model_below_its_limit_is_not_tightened() -> None:
    one = multiplier(0.2, 1.0, schedule=Schedule(tighten=0.1))
    one.update(torch.tensor(0.2))
    assert one.target.item() == 1.0


def test_a_saved_state_goes_on_equally() -> None:
    one, other = multiplier(1.0), multiplier(7.0)
    for step in range(10):
        one.update(torch.tensor(1.0 + step))
    other.load_state_dict(one.state_dict())
    for each in (one, other):
        each.update(torch.tensor(3.0))
    assert torch.equal(one.value, other.value)
    assert one.steps == other.steps == 11


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("saved_bound", [0.5, 2.0])
def test_a_saved_state_follows_the_bound_of_today(upper: bool, saved_bound: float) -> None:
    before = multiplier(saved_bound, saved_bound, upper)
    now = multiplier(1.0, 1.0, upper)
    before.update(torch.tensor(saved_bound))
    now.load_state_dict(before.state_dict())
    for _ in range(100):
        now.update(torch.tensor(1.0))
    assert now.target.item() == 1.0
