"""From runs to the frontier, by figures one can check by hand."""

import json
from dataclasses import replace

import pytest

from picojoule.training import Frontier, Outcome, Spread, SweepConfig, SweepStep, TrainConfig

CONFIG = SweepConfig(budgets=(0.5, 0.1), seeds=2)


def outcome(accuracy: float, spent: float, silent: float = 0.0) -> Outcome:
    return Outcome(accuracy, {"1": 50.0, "4": spent}, ("4",), silent, num_timesteps=5)


OUTCOMES = {
    SweepStep(1, None): outcome(0.90, 1000),
    SweepStep(2, None): outcome(0.94, 2000),
    SweepStep(1, 0.5): outcome(0.91, 510, silent=0.1),
    SweepStep(2, 0.5): outcome(0.92, 900, silent=0.3),
    SweepStep(1, 0.1): outcome(0.80, 90),
    SweepStep(2, 0.1): outcome(0.82, 220),
}
FRONTIER = Frontier.of(CONFIG, OUTCOMES)


def test_a_share_is_of_the_same_seeds_unconstrained_network() -> None:
    assert [[m.limit for m in p.models] for p in FRONTIER.points] == [
        [None, None],
        [500, 1000],
        [100, 200],
    ]


def test_means_and_spreads_over_the_seeds() -> None:
    free, half, tenth = FRONTIER.points
    assert free.accuracy == pytest.approx(Spread(0.92, 0.02 * 2**0.5))
    assert half.spent == pytest.approx(Spread(705, 195 * 2**0.5))
    assert half.limit == pytest.approx(Spread(750, 250 * 2**0.5))
    assert half.error == pytest.approx(Spread((0.02 + 0.1) / 2, 0.04 * 2**0.5))
    assert half.silent_share == pytest.approx(Spread(0.2, 0.1 * 2**0.5))
    assert (free.error, free.limit) == (None, None)
    assert tenth.best.seed == 2


def test_a_budget_is_met_up_to_a_tolerance_and_by_spending_less() -> None:
    _, half, tenth = FRONTIER.points
    assert [m.met() for m in half.models] == [True, True]
    assert [m.met() for m in tenth.models] == [True, False]
    assert tenth.met() == 1
    assert tenth.met(tolerance=0.1) == 2
    assert half.met(tolerance=0.0) == 1


def test_the_front_and_the_cheapest_near_the_best() -> None:
    assert [p.budget for p in FRONTIER.front()] == [0.1, 0.5, None]
    assert FRONTIER.cheapest_within(1.0) is FRONTIER.points[1]
    assert FRONTIER.cheapest_within(0.2) is FRONTIER.points[0]
    assert FRONTIER.cheapest_within(50) is FRONTIER.points[2]
    with pytest.raises(ValueError, match="margin"):
        FRONTIER.cheapest_within(-1)


def test_what_is_not_complete_is_left_out() -> None:
    few = {step: OUTCOMES[step] for step in (SweepStep(1, None), SweepStep(1, 0.5))}
    frontier = Frontier.of(CONFIG, few)
    assert [len(point.models) for point in frontier.points] == [1, 1]
    assert frontier.points[0].accuracy == Spread(0.90, None)
    nothing = Frontier.of(CONFIG, {})
    assert (nothing.points, nothing.front(), nothing.cheapest_within(1)) == ((), [], None)


def test_the_figures_are_json() -> None:
    figures = json.loads(json.dumps(FRONTIER.to_dict(), allow_nan=False))
    assert [point["budget"] for point in figures["points"]] == [None, 0.5, 0.1]
    assert figures["points"][1]["error"]["mean"] == pytest.approx(0.06)
    assert figures["points"][2]["models"][1]["met"] is False
    assert figures["points"][2]["models"][0]["outcome"]["synops_per_timestep"] == {"1": 50, "4": 90}
    assert figures["config"]["budgets"] == [0.5, 0.1]


def test_joules_name_the_chip() -> None:
    config = SweepConfig((1e-6,), "energy_j", training=TrainConfig(profile="loihi"))
    spent = {step: replace(outcome(0.9, 1), energy_j=2e-6) for step in config.steps(1)}
    frontier = Frontier.of(config, spent)
    assert frontier.unit == "modelled J per sample on loihi"
    assert frontier.points[1].error == Spread(1.0, None)
