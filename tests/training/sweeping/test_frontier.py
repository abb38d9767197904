"""From runs to the frontier, by figures one can check by hand."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from picojoule.budget import ExitFigures
from picojoule.training import Cost, Frontier, Outcome, Spread, SweepConfig, SweepRun, TrainConfig

CONFIG = SweepConfig(budgets=(0.5, 0.1), seeds=2)


def outcome(accuracy: float, spent: float, silent: float = 0.0) -> Outcome:
    return Outcome(accuracy, {"1": 50.0, "4": spent}, ("4",), silent, num_timesteps=5)


OUTCOMES = {
    SweepRun(1, None): outcome(0.90, 1000),
    SweepRun(2, None): outcome(0.94, 2000),
    SweepRun(1, 0.5): outcome(0.91, 510, silent=0.1),
    SweepRun(2, 0.5): outcome(0.92, 900, silent=0.3),
    SweepRun(1, 0.1): outcome(0.80, 90),
    SweepRun(2, 0.1): outcome(0.82, 220),
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
    few = {run: OUTCOMES[run] for run in (SweepRun(1, None), SweepRun(1, 0.5))}
    frontier = Frontier.of(CONFIG, few)
    assert [len(point.models) for point in frontier.points] == [1, 1]
    assert frontier.points[0].accuracy == Spread(0.90, None)
    nothing = Frontier.of(CONFIG, {})
    assert (nothing.points, nothing.front(), nothing.cheapest_within(1)) == ((), [], None)


def test_the_figures_are_json() -> None:
    figures = json.loads(json.dumps(FRONTIER.to_dict(), allow_nan=False))
    assert [point["budget"] for point in figures["points"]] == [None, 0.5, 0.1]
    assert [point["method"] for point in figures["points"]] == ["no budget", "Budget", "Budget"]
    assert figures["points"][1]["error"]["mean"] == pytest.approx(0.06)
    assert figures["points"][2]["models"][1]["met"] is False
    assert figures["points"][2]["models"][0]["outcome"]["synops_per_timestep"] == {"1": 50, "4": 90}
    half = figures["points"][1]
    assert half["spent"]["mean"] == 705
    assert half["synops_per_timestep"]["mean"] == 755  # with layer 1
    assert half["synops_per_sample"]["mean"] == 5 * 755


def test_joules_name_the_chip() -> None:
    config = SweepConfig((1e-6,), "energy_j", training=TrainConfig(profile="loihi"))
    spent = {run: replace(outcome(0.9, 1), energy_j=2e-6) for run in config.runs(1)}
    frontier = Frontier.of(config, spent)
    assert str(frontier.cost) == "modelled J per sample on loihi"
    assert frontier.points[1].error == Spread(1.0, None)


# ---- training steps


def with_steps(steps: int | None) -> dict[SweepRun, Outcome]:
    return {run: replace(made, steps=steps) for run, made in OUTCOMES.items()}


def test_steps_are_equal_from_the_same_start_and_add_up_where_runs_go_on_from_others() -> None:
    equal = Frontier.of(CONFIG, with_steps(720))
    assert [p.steps_in_all for p in equal.points] == [Spread(720, 0)] * 3
    continued = Frontier.of(replace(CONFIG, equal_steps=False), with_steps(720))
    assert [p.steps for p in continued.points] == [Spread(720, 0)] * 3
    assert [p.steps_in_all for p in continued.points] == [
        Spread(720, 0),
        Spread(1440, 0),
        Spread(2160, 0),
    ]
    assert [p.steps_in_all for p in Frontier.of(CONFIG, with_steps(None)).points] == [None] * 3


# ---- what a budget is judged by


def test_what_is_left_over_is_a_miss_on_request() -> None:
    strict = replace(CONFIG, training=TrainConfig(within=0.06))
    _, half, tenth = Frontier.of(strict, OUTCOMES).points
    assert [m.met() for m in half.models] == [True, False]  # 510 of 500, 900 of 1000
    assert [m.met() for m in tenth.models] == [False, False]  # 90 of 100, 220 of 200
    assert half.met() == 1


def test_frontiers_of_other_scores_are_not_merged() -> None:
    error = {
        run: replace(made, accuracy=-made.accuracy, score_name="negative error")
        for run, made in OUTCOMES.items()
    }
    frontier = Frontier.of(CONFIG, error)
    assert frontier.score_name == "negative error"
    with pytest.raises(ValueError, match=r"different scores \(accuracy, negative error\)"):
        frontier.merge(FRONTIER)


# ---- other settings


def of_timesteps(*numbers: int) -> Frontier:
    config = SweepConfig(budgets=(0.5,), axes={"num_timesteps": numbers})
    spent = {None: 100.0, 0.5: 52.0}
    made = {
        run: replace(outcome(0.9, spent[run.budget]), num_timesteps=dict(run.settings)["num_timesteps"])
        for run in config.all_runs()
    }  # fmt: skip
    return Frontier.of(config, made)


def test_networks_of_other_numbers_of_time_steps_are_compared_by_sample() -> None:
    same, both = of_timesteps(3), of_timesteps(3, 10)
    assert same.cost == Cost("synops_per_timestep", "trainable")
    assert both.cost == Cost("synops_per_sample", "trainable")
    assert [point.spent.mean for point in both.points] == [300, 156, 1000, 520]
    assert [point.limit and point.limit.mean for point in both.points] == [None, 150, None, 500]
    for point in both.points[1::2]:
        assert point.error == pytest.approx(Spread(0.04, None))  # as by time step
    assert [dict(point.settings) for point in both.front()] == [{"num_timesteps": 3}]
    with pytest.raises(
        ValueError, match=r"different numbers of time steps.*compare SynOps per sam"
    ):
        Frontier(same.cost, both.points)


# ---- several frontiers


def test_merged_frontiers_have_a_cost_that_both_know() -> None:
    whole = SweepConfig(budgets=(600.0,), unit="synops_per_timestep")
    made = {
        SweepRun(1, None): outcome(0.90, 1000),
        SweepRun(1, 600.0): outcome(0.91, 540),
    }
    other = Frontier.of(whole, made)
    assert other.points[1].spent.mean == 590  # with layer 1, which is given
    merged = FRONTIER.merge(other)
    assert merged.cost == FRONTIER.cost
    assert merged.points[:3] == FRONTIER.points
    assert merged.points[4].spent.mean == 540
    assert merged.points[4].limit == Spread(550, None)
    assert FRONTIER.merge(FRONTIER) == FRONTIER
    longer = FRONTIER.merge(of_timesteps(10))
    assert longer.cost == Cost("synops_per_sample", "trainable")
    assert longer.points[1].spent.mean == 5 * 705
    assert longer.points[3].spent.mean == 1000


def test_joules_and_synops_are_not_merged() -> None:
    config = SweepConfig((1e-6,), "energy_j", training=TrainConfig(profile="loihi"))
    made = {run: replace(outcome(0.9, 1), energy_j=2e-6) for run in config.runs(1)}
    joules = Frontier.of(config, made)
    assert joules.merge(joules) == joules
    with pytest.raises(
        ValueError, match=r"cannot be compared: SynOps per time step, .*; modelled J"
    ):
        joules.merge(FRONTIER)


# ---- hypervolume


def test_the_hypervolume_is_in_accuracy_times_decades() -> None:
    # means: (155, 0.81), (705, 0.915), (1500, 0.92)
    steps = [(155, 705, 0.81), (705, 1500, 0.915), (1500, 15000, 0.92)]
    by_hand = sum(math.log10(end / start) * accuracy for start, end, accuracy in steps)
    assert FRONTIER.hypervolume((15000, 0.0)) == pytest.approx(by_hand)
    assert FRONTIER.reference == (1500, 0.0)
    assert FRONTIER.hypervolume() == pytest.approx(by_hand - 0.92)
    above = sum(math.log10(e / s) * (a - 0.9) for s, e, a in steps[1:])
    assert FRONTIER.hypervolume((15000, 0.9)) == pytest.approx(above)
    assert FRONTIER.hypervolume((100, 0.0)) == 0


def test_a_halving_counts_the_same_wherever_it_is() -> None:
    def halved(spent: float) -> float:
        config = SweepConfig((0.5,))
        made = {SweepRun(1, b): outcome(0.9, s) for b, s in ((None, spent), (0.5, spent / 2))}
        return Frontier.of(config, made).hypervolume()

    assert halved(80_000) == pytest.approx(halved(8_000)) == pytest.approx(0.9 * math.log10(2))


def test_networks_that_spend_nothing_have_no_hypervolume() -> None:
    silent = {SweepRun(1, None): outcome(0.9, 100), SweepRun(1, 0.5): outcome(0.1, 0)}
    frontier = Frontier.of(CONFIG, silent)
    assert frontier.hypervolume((1000, 0.0)) == pytest.approx(0.9)
    assert Frontier.of(CONFIG, {}).hypervolume() == 0
    with pytest.raises(ValueError, match="the reference spends 0"):
        frontier.hypervolume((0.0, 0.0))


# ---- files


def with_all_figures() -> Frontier:
    """Of networks for which every figure says something."""
    made = Outcome(
        accuracy=-2.5,
        synops_per_timestep={"1": 50.0, "4": 90.0},
        trainable=("4",),
        silent_share=0.5,
        num_timesteps=5,
        energy_j=2e-6,
        fixed_energy_j=1e-6,
        score_name="negative error",
        faults=("layer '2' fell silent",),
        steps=9,
        broken=("synops_per_timestep of trainable: 90",),
        after_exit=ExitFigures(0.875, 2.5, 340.0),
    )
    nothing = Outcome(0.0, {}, (), 0.0, 1)
    unsaid = [f.name for f in fields(Outcome) if getattr(made, f.name) == getattr(nothing, f.name)]
    assert unsaid == [], "give the new figure a value here"
    strict = replace(CONFIG, training=TrainConfig(within=0.05))
    return Frontier.of(strict, dict.fromkeys(OUTCOMES, made))


@pytest.mark.parametrize(
    "frontier", [FRONTIER, with_all_figures(), of_timesteps(3, 10)], ids=["few", "all", "timesteps"]
)
def test_a_frontier_comes_back_from_its_file(frontier: Frontier, tmp_path: Path) -> None:
    frontier.save(tmp_path / "frontier.json")
    again = Frontier.load(tmp_path / "frontier.json")
    assert again == frontier
    assert again.to_dict() == frontier.to_dict()


def _set(path: str, value: Any) -> Any:
    def damage(figures: Any) -> None:
        *places, last = path.split(".")
        for place in places:
            figures = figures[int(place) if place.isdigit() else place]
        figures[last] = value

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda figures: figures.pop("cost"), "'cost' is missing"),
        (_set("cost.quantity", "watts"), "quantity is 'watts'"),
        (_set("cost.quantity", "energy_j"), "energy_j of the trainable"),
        (_set("points", {}), "is no list"),
        (_set("points.1.models", []), "no models"),
        (_set("points.1.unit", "share of"), "a unit is 'share of'"),
        (_set("points.1.models.0.limit", 0), "0 is not from"),
        (_set("points.1.models.0.seed", True), "True is no"),
        (_set("points.1.models.0.outcome.accuracy", None), "None is no number"),
        (_set("points.1.models.0.outcome.accuracy", 10**400), "is not from 0 to 1"),
        (_set("points.1.models.0.outcome.score_name", 3), "3 is no word"),
        (_set("points.1.models.0.outcome.score_name", "R2"), "different scores"),
        (_set("points.1.models.0.outcome.faults", "silence"), "'silence' is no list"),
        (_set("points.1.models.0.within", 5), "5 is not from 0 to 1"),
        (_set("points.1.models.0.outcome.trainable", ["9"]), "'9' is trainable and has no"),
        (_set("points.1.models.0.outcome.num_timesteps", 7), "different numbers of time steps"),
    ],
)
def test_a_damaged_file_is_named(damage: Any, message: str, tmp_path: Path) -> None:
    figures = FRONTIER.to_dict()
    damage(figures)
    path = tmp_path / "frontier.json"
    path.write_text(json.dumps(figures))
    with pytest.raises(ValueError, match=rf"frontier\.json.*{message}"):
        Frontier.load(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"frontier\.json is damaged"):
        Frontier.load(path)
