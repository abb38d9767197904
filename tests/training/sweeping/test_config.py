"""What a sweep may be asked for."""

import json
from dataclasses import replace
from typing import Any

import pytest

from picojoule.training import Outcome, SweepConfig, SweepRun, TrainConfig
from picojoule.training.sweeping.one_run import limits

CONFIG = SweepConfig(budgets=(0.1, 0.5, 0.25), seeds=2, training=TrainConfig(seed=7))


def test_budgets_go_from_the_loosest_to_the_tightest() -> None:
    assert CONFIG.budgets == (0.5, 0.25, 0.1)
    assert list(CONFIG.all_seeds) == [7, 8]
    names = [run.name for run in CONFIG.runs(8)]
    assert names == [
        f"seed8/{x}" for x in ("unconstrained", "budget-0.5", "budget-0.25", "budget-0.1")
    ]


def test_with_equal_steps_each_budget_needs_the_unconstrained_network_alone() -> None:
    free, half, quarter, tenth = CONFIG.runs(8)
    assert CONFIG.before(free) == ()
    for run in (half, quarter, tenth):
        assert CONFIG.before(run) == (free,)
        assert CONFIG.lineage(run) == (run,)
    assert CONFIG.most_at_once == 2 * 3


def test_continued_each_budget_has_all_looser_ones_behind_it() -> None:
    config = replace(CONFIG, equal_steps=False)
    free, half, quarter, tenth = config.runs(8)
    assert config.before(tenth) == (free, half, quarter)
    assert config.lineage(tenth) == (free, half, quarter, tenth)
    assert config.lineage(free) == (free,)
    assert config.most_at_once == 2


def test_each_step_has_a_folder_of_its_own() -> None:
    budgets = (0.1, 0.1 + 1e-12, 1e-6, 1.0)
    assert len({SweepRun(1, budget).name for budget in budgets}) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"budgets": ()}, "there are no budgets"),
        ({"budgets": (0.5, 0.0)}, "a budget is 0, expected a number > 0"),
        ({"budgets": (-0.5,)}, "a budget is -0.5, expected a number > 0"),
        ({"budgets": (float("nan"),)}, "a budget is nan"),
        ({"budgets": (float("inf"),), "unit": "energy_j"}, "a budget is inf"),
        ({"budgets": (1.5,)}, "at most 1.*give unit= one of synops_per_timestep"),
        ({"budgets": (0.5, 0.5)}, "0.5 comes twice"),
        ({"unit": "watts"}, "unit is 'watts'; choose one of"),
        ({"seeds": 0}, "seeds is 0"),
        ({"unit": "energy_j"}, "need a profile"),
        ({"training": TrainConfig(synops_per_timestep=1e5)}, "has synops_per_timestep=100000"),
    ],
)
def test_what_cannot_be_meant_is_said(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **wrong)


def test_differences_are_told_by_name() -> None:
    other = replace(CONFIG, budgets=(0.5,), training=TrainConfig(seed=7, epochs=9))
    assert CONFIG.differences(CONFIG.to_dict()) == []
    warm = replace(CONFIG, equal_steps=False, axes={"num_timesteps": (3, 5)})
    assert CONFIG.differences(json.loads(json.dumps(warm.to_dict()))) == [
        "axes is {} here and {'num_timesteps': [3, 5]} there",
        "equal_steps is True here and False there",
    ]
    assert CONFIG.differences(other.to_dict()) == [
        "budgets is [0.5, 0.25, 0.1] here and [0.5] there",
        "epochs is 6 here and 9 there",
    ]


OUTCOME = Outcome(0.9, {"1": 200.0, "4": 270.0, "7": 30.0}, ("4", "7"), silent_share=0, num_timesteps=10, energy_j=1e-6, fixed_energy_j=4e-8)  # fmt: skip


def limits_of(budget: float, unit: Any, **training: Any) -> dict[str, Any]:
    profile = "loihi" if unit == "energy_j" else None
    config = TrainConfig(profile=profile, **training)
    return limits(budget, SweepConfig((budget,), unit, training=config), OUTCOME)


def test_a_share_is_of_what_training_can_change() -> None:
    assert OUTCOME.spent("share") == 300
    assert limits_of(0.1, "share", groups={"core": ["4"]}) == {
        "synops_per_timestep": {"trainable": 30},
        "groups": {"core": ["4"], "trainable": ["4", "7"]},
    }


def test_an_absolute_budget_is_the_whole_networks() -> None:
    whole = {"per": "model", "groups": None}
    groups = {"core": ["4"]}
    assert limits_of(250, "synops_per_timestep", groups=groups) == {
        "synops_per_timestep": 250,
        **whole,
    }
    assert limits_of(2500, "synops_per_sample") == {"synops_per_sample": 2500, **whole}
    assert limits_of(1e-7, "energy_j") == {"energy_j": 1e-7, **whole}
    assert OUTCOME.spent("synops_per_timestep") == 500
    assert OUTCOME.spent("synops_per_sample") == 5000
    assert OUTCOME.spent("energy_j") == 1e-6


@pytest.mark.parametrize(
    ("budget", "unit"),
    [(200, "synops_per_timestep"), (2000, "synops_per_sample"), (4e-8, "energy_j")],
)
def test_a_budget_that_the_input_alone_spends_is_refused(budget: float, unit: Any) -> None:
    with pytest.raises(
        ValueError, match=f"budget of {budget} {unit} cannot be met.*spend {budget} alone"
    ):
        limits_of(budget, unit)


def test_a_share_of_nothing_is_refused() -> None:
    silent = replace(OUTCOME, trainable=())
    with pytest.raises(ValueError, match="a share of nothing"):
        limits(0.5, SweepConfig((0.5,)), silent)


def test_an_outcome_comes_back_from_json() -> None:
    known = replace(OUTCOME, steps=30, broken=("synops_per_timestep of 4: too much",))
    for outcome in (OUTCOME, known):
        assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


def test_a_sweep_from_before_settings_were_renamed_is_the_same() -> None:
    saved = json.loads(json.dumps(CONFIG.to_dict()))
    training = saved["training"]
    training["highest_rate"] = training.pop("max_rate")
    training["max_rate"] = training.pop("pixel_rate")
    assert CONFIG.differences(saved) == []
    training["max_rate"] = 0.5
    assert CONFIG.differences(saved) == ["pixel_rate is 1.0 here and 0.5 there"]
