"""The controller on plain numbers: simulated plants with elasticities, quanta and noise."""

import math
import random

import pytest

from picojoule.budget import SplitRange
from picojoule.budget.steering import Aim, Steering

LIMIT = {"limit": Aim(bound=100.0, upper=True, sources=("a", "b"))}


def run(
    steering: Steering,
    first: dict[str, float],
    steps: int,
    *,
    elasticity: float = 1.5,
    pull: float = 0.0,
    task: bool = True,
    noise: float = 0.0,
    quantum: float = 0.0,
    aims: dict[str, Aim] = LIMIT,
) -> list[dict[str, float]]:
    """Spending of layers that follows the gains by an elasticity, and the pull by a share a step."""
    draw, spent, seen = random.Random(1), dict(first), []
    for _ in range(steps):
        now = {n: x * math.exp(noise * draw.gauss(0, 1)) for n, x in spent.items()}
        if quantum:
            now = {n: quantum * round(x / quantum) for n, x in now.items()}
        values = {name: sum(now[n] for n in aim.sources) for name, aim in aims.items()}
        kappa = max(steering.pulls(aims, values).values())
        rates = {n: x / 1000 for n, x in now.items()}
        factors = steering.step(aims, values, now, rates, has_task=task)
        for n in spent:
            spent[n] *= factors.get(n, 1.0) ** elasticity * math.exp(-pull * kappa)
        seen.append(now)
    return seen


def total(seen: list[dict[str, float]]) -> list[float]:
    return [sum(each.values()) for each in seen]


@pytest.mark.parametrize("elasticity", [0.5, 1.5, 5.0, 20.0])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_gains_alone_hold_a_limit_without_swings(elasticity: float, noise: float) -> None:
    steering = Steering(SplitRange(), horizon=100, tighten=0.015)
    seen = run(
        steering, {"a": 800.0, "b": 200.0}, 400, elasticity=elasticity, task=False, noise=noise
    )
    late = total(seen)[-130:]
    assert sum(late) / len(late) == pytest.approx(100, rel=0.06)
    smooth = [sum(late[i : i + 10]) / 10 for i in range(len(late) - 10)]
    assert max(smooth) - min(smooth) < (0.03 if not noise else 0.15) * 100


def test_the_pull_alone_holds_it_where_the_task_follows() -> None:
    steering = Steering(SplitRange(), horizon=100, tighten=0.015)
    seen = run(steering, {"a": 800.0, "b": 200.0}, 400, pull=0.02)
    assert all(x < 115 for x in total(seen)[-130:])
    assert all(gain.log == 0 for gain in steering._gains.values())
    assert steering.largest <= SplitRange().most


def test_where_the_pull_is_not_enough_gains_follow_and_nothing_winds_up() -> None:
    steering = Steering(SplitRange(), horizon=100, tighten=0.015)
    seen = run(steering, {"a": 800.0, "b": 200.0}, 600)
    assert total(seen)[-1] == pytest.approx(100, rel=0.06)
    assert steering.largest == SplitRange().most
    assert steering.pulls(LIMIT, {"limit": 50.0})["limit"] == 0.0  # at once, whatever was before


def test_each_layer_keeps_its_share_and_a_small_one_is_not_killed() -> None:
    steering = Steering(SplitRange(), horizon=100, tighten=0.015)
    seen = run(steering, {"a": 980.0, "b": 20.0}, 500, task=False)
    assert seen[-1]["b"] / total(seen)[-1] == pytest.approx(0.02, rel=0.2)


def test_a_layer_that_falls_silent_under_a_limit_with_room_is_scaled_up() -> None:
    steering = Steering(SplitRange(), horizon=0, tighten=1.0)
    for _ in range(5):
        steering.step(
            LIMIT, {"limit": 90.0}, {"a": 60.0, "b": 30.0}, {"a": 0.1, "b": 0.1}, has_task=True
        )
    for _ in range(5):
        factors = steering.step(
            LIMIT, {"limit": 61.0}, {"a": 60.0, "b": 1.0}, {"a": 0.1, "b": 0.0}, has_task=True
        )
    assert factors["b"] > 1
    assert factors["a"] == 1


def test_a_limit_that_was_never_near_leaves_layers_alone_that_the_task_quietens() -> None:
    steering = Steering(SplitRange(), horizon=100, tighten=0.015)
    for number in range(300):
        quiet = max(0.98**number, 0.01)
        spent, rates = {"a": 30 * quiet, "b": 20 * quiet}, {"a": quiet, "b": quiet, "c": quiet}
        values = {"limit": sum(spent.values())}
        assert steering.pulls(LIMIT, values) == {"limit": 0.0}
        factors = steering.step(LIMIT, values, spent, rates, has_task=True)
        assert set(factors.values()) == {1.0}


def test_coarse_quanta_do_not_make_it_swing() -> None:
    """One neuron more or less is a fifth of the limit."""
    steering = Steering(SplitRange(), horizon=50, tighten=0.015)
    seen = run(steering, {"a": 500.0, "b": 500.0}, 600, task=False, quantum=20.0)
    late = total(seen)[-200:]
    assert max(late) == min(late) <= 100


def test_gains_whose_steps_have_become_small_follow_when_a_limit_runs_away() -> None:
    """Steps of a 64th against weights that the task lets grow by a percent a step held nothing."""
    steering = Steering(SplitRange(), horizon=0, tighten=1.0)
    run(steering, {"a": 60.0, "b": 50.0}, 100, task=False)
    state = steering.state_dict()
    for gain in state["gains"].values():
        gain["step"] = SplitRange().least_step
    steering.load_state_dict(state)
    spent, seen = {"a": 60.0, "b": 50.0}, []
    for _ in range(300):
        now = sum(spent.values())
        factors = steering.step(LIMIT, {"limit": now}, spent, dict(spent), has_task=False)
        spent = {n: 1.01 * x * factors[n] for n, x in spent.items()}
        seen.append(now)
    assert max(seen[-50:]) < 115


def test_the_pull_looks_ahead() -> None:
    """Of two batches at the limit, the one that comes from above is pulled at less."""
    kappas = []
    for before in (100.0, 140.0):
        steering = Steering(SplitRange(), horizon=0, tighten=1.0)
        for value in [before] * 20 + [100.0] * 10:
            steering.pulls(LIMIT, {"limit": value})
            steering.step(LIMIT, {"limit": value}, {"a": 50.0, "b": 50.0}, {}, has_task=True)
        k = steering._tracks["limit"].k
        kappas.append(steering.pulls(LIMIT, {"limit": 100.0})["limit"] - k)
    assert kappas[0] == pytest.approx(0.0)
    assert kappas[1] < -0.1


def test_a_floor_is_raised_within_the_room_of_its_limit_and_not_above() -> None:
    aims = {**LIMIT, "floor": Aim(bound=0.05, upper=False, sources=("b",))}
    steering = Steering(SplitRange(), horizon=0, tighten=1.0)
    rate, spent = 0.01, {"a": 40.0, "b": 10.0}
    for _ in range(300):
        values = {"limit": sum(spent.values()), "floor": rate}
        steering.pulls(aims, values)
        factors = steering.step(aims, values, spent, {"a": 0.1, "b": rate}, has_task=True)
        rate *= factors["b"]
        spent["b"] *= factors["b"]
    assert rate == pytest.approx(0.05, rel=0.05)
    assert sum(spent.values()) <= 101


def test_a_limit_that_is_slack_for_long_pulls_as_soon_as_it_is_not() -> None:
    """A multiplier that had fallen by shares of itself came back too late."""
    steering = Steering(SplitRange(), horizon=0, tighten=1.0)
    run(steering, {"a": 30.0, "b": 20.0}, 2000)
    kappas = []
    for _ in range(10):
        kappas.append(steering.pulls(LIMIT, {"limit": 130.0})["limit"])
        steering.step(
            LIMIT, {"limit": 130.0}, {"a": 80.0, "b": 50.0}, {"a": 0.1, "b": 0.1}, has_task=True
        )
    assert kappas[9] > 0.5


def test_it_resumes_exactly() -> None:
    one = Steering(SplitRange(), horizon=100, tighten=0.015)
    run(one, {"a": 800.0, "b": 200.0}, 120, task=False)
    other = Steering(SplitRange(), horizon=100, tighten=0.015)
    other.load_state_dict(one.state_dict())
    for _ in range(20):
        batch = (LIMIT, {"limit": 130.0}, {"a": 80.0, "b": 50.0}, {"a": 0.1, "b": 0.1})
        assert one.pulls(*batch[:2]) == other.pulls(*batch[:2])
        assert one.step(*batch, has_task=True) == other.step(*batch, has_task=True)
    assert one.state_dict() == other.state_dict()


@pytest.mark.parametrize(
    "wrong", [{"most": 0.0}, {"decay": 1.0}, {"width": 0.0}, {"speed": math.nan}]
)
def test_numbers_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="SplitRange: expected"):
        SplitRange(**wrong)
