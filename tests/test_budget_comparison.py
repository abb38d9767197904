"""The comparison's weights, its interpolation and its record of finished runs; how well anything trains is not tested."""

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks.budget_comparison.methods import BUDGET, FREE, HINGE, WEIGHTS, Spec, regulator_of
from benchmarks.budget_comparison.plan import Plan, crossing
from benchmarks.budget_comparison.runs import TRAINED, Settings
from benchmarks.budget_comparison.store import Store
from benchmarks.budget_comparison.summary import at_equal_synops, print_summary, summary
from picojoule import Monitor
from picojoule.training.lenet import lenet

PLAN = Plan(shares=(0.5, 0.1), seeds=(1, 2), methods=(BUDGET, "SSP"))


def row(spec: Spec, accuracy: float, synops: float) -> dict[str, object]:
    return {
        "method": spec.method,
        "seed": spec.seed,
        "share": spec.share,
        "weight": spec.weight,
        "accuracy": accuracy,
        "synops_per_timestep": synops,
        "by_layer": dict.fromkeys(TRAINED, synops / 3),
        "silent_share": 0.25,
        "seconds": 1.0,
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """SSP spends 100 / weight, and is better than Budget at 10 %."""
    found = Store(tmp_path / "runs.jsonl", Settings())
    for stage in PLAN.stages():
        for spec in stage(found):
            if found.get(spec):
                continue
            if spec.method == FREE:
                found.add(row(spec, 0.8, 300.0))
            elif spec.method == BUDGET:
                found.add(row(spec, 0.6 + 0.2 * (spec.share or 0), 303.0 * (spec.share or 0)))
            else:
                found.add(row(spec, 0.7, 100 / (spec.weight or 1)))
    return found


def test_a_weight_between_two_that_were_tried() -> None:
    assert crossing([(1.0, 100.0), (100.0, 1.0)], 10.0) == 10.0
    assert crossing([(100.0, 1.0), (1.0, 100.0), (10.0, 50.0)], 60.0) == pytest.approx(5.45, 0.01)


def test_the_nearest_weight_where_none_brackets_the_budget() -> None:
    assert crossing([(1.0, 100.0), (10.0, 50.0)], 5.0) == 10.0


def test_the_weight_of_each_budget(store: Store) -> None:
    assert PLAN.best_weight(store, "SSP", 0.5) == pytest.approx(100 / 150, rel=0.01)
    assert PLAN.best_weight(store, "SSP", 0.1) == pytest.approx(100 / 30, rel=0.01)


def test_a_hinge_is_chosen_by_accuracy_among_those_that_hit(tmp_path: Path) -> None:
    store, plan = Store(tmp_path / "runs.jsonl", Settings()), Plan(shares=(0.5,), methods=(HINGE,))
    store.add(row(Spec(FREE, 1), 0.8, 300.0))
    for spec, accuracy, synops in zip(
        plan.sweep(store, HINGE), (0.9, 0.7, 0.8, 0.6), (290, 151, 156, 149), strict=True
    ):
        store.add(row(spec, accuracy, synops))
    assert plan.best_weight(store, HINGE, 0.5) == WEIGHTS[HINGE][2]


def test_accuracy_at_equal_synops_is_between_neighbours_or_unknown() -> None:
    points = [(0.1, 0.6), (0.4, 0.8)]
    assert at_equal_synops(points, 0.2) == pytest.approx(0.7)
    assert at_equal_synops(points, 0.42) == 0.8
    assert at_equal_synops(points, 0.9) is None


def test_the_table_says_where_a_fixed_penalty_wins(store: Store) -> None:
    found = summary(store, PLAN)
    assert [(e["method"], e["share"], len(e["seeds"])) for e in found["entries"]] == [
        (BUDGET, 0.5, 2),
        ("SSP", 0.5, 2),
        (BUDGET, 0.1, 2),
        ("SSP", 0.1, 2),
    ]
    assert found["entries"][2]["hit_error"] == pytest.approx(0.01)
    assert found["entries"][2]["below_no_budget"] == pytest.approx(0.18)
    console = Console(file=io.StringIO(), width=160)
    print_summary(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "10%: SSP is 8.00 points above Budget" in text
    assert "50%: SSP is 0.00 points" not in text


def test_finished_runs_are_found_again_and_other_settings_refused(
    store: Store, tmp_path: Path
) -> None:
    again = Store(tmp_path / "runs.jsonl", Settings())
    assert again.rows == store.rows
    with pytest.raises(ValueError, match="Name another --out"):
        Store(tmp_path / "runs.jsonl", Settings(epochs=7))


@pytest.mark.parametrize("method", [BUDGET, *WEIGHTS])
def test_each_method_regulates_the_layers_that_training_can_change(method: str) -> None:
    regulate = regulator_of(Spec(method, 1, 0.5, 1.0, (1.0, 1.0, 1.0)))
    assert regulate is not None
    model = lenet(batch_size=2)
    with Monitor(model) as monitor:
        model((torch.rand(2, 5, 1, 28, 28) < 0.5).float())
    regulate(monitor).penalty().backward()
    assert model.get_submodule("1").weight.grad.abs().sum() > 0
