"""The comparison's weights, its interpolation and its record of finished runs; how well anything trains is not tested."""

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from benchmarks.budget_comparison.methods import (
    BRACKETS,
    BUDGET,
    FIXED,
    FREE,
    HINGE,
    L1,
    SYNAPTIC,
    TRAINED,
    Spec,
    penalties_of,
)
from benchmarks.budget_comparison.plan import TRIES, Plan, crossing, fixed, next_weight
from benchmarks.budget_comparison.runs import Penalised, config_of, shares_left
from benchmarks.budget_comparison.store import Store
from benchmarks.budget_comparison.summary import at_equal_synops, print_summary, summary
from picojoule import Monitor, reset_states
from picojoule.budget import Connections
from picojoule.training import TrainConfig
from picojoule.training.networks.lenet import lenet

PLAN = Plan(limits=(150.0, 30.0), seeds=(1, 2), methods=(SYNAPTIC,))


def row(spec: Spec, accuracy: float, synops: float) -> dict[str, object]:
    return {
        "method": spec.method,
        "seed": spec.seed,
        "limit": spec.limit,
        "weight": spec.weight,
        "accuracy": accuracy,
        "synops_per_timestep": synops,
        "by_layer": {"4": synops / 2, "7": synops / 3, "10": synops / 6},
        "shares": {"4": 0.2, "7": 0.1 * spec.seed},
        "accuracy_trimmed": accuracy - 0.02,
        "synops_trimmed": 0.99 * (spec.limit or 0),
        "seconds": 1.0,
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """SSP spends 100 / weight, and is better than Budget at 30 SynOps."""
    found = Store(tmp_path / "runs.jsonl", TrainConfig())
    for stage in PLAN.stages():
        for spec in stage(found):
            if found.get(spec):
                continue
            if spec.method == FREE:
                found.add(row(spec, 0.8, 300.0))
            elif spec.method == BUDGET:
                limit = spec.limit or 0
                found.add(row(spec, 0.6 + 0.2 * limit / 300, 1.01 * limit))
            else:
                found.add(row(spec, 0.7, 100 / (spec.weight or 1)))
    return found


def test_a_weight_between_two_that_were_tried() -> None:
    assert crossing([(1.0, 100.0), (100.0, 1.0)], 10.0) == 10.0
    assert crossing([(100.0, 1.0), (1.0, 100.0), (10.0, 50.0)], 60.0) == pytest.approx(5.45, 0.01)


def test_the_nearest_weight_where_none_brackets_the_limit() -> None:
    assert crossing([(1.0, 100.0), (10.0, 50.0)], 5.0) == 10.0


def test_a_sweep_goes_further_out_until_it_brackets_the_limit() -> None:
    assert next_weight([(1.0, 100.0), (10.0, 50.0)], 5.0) == 100.0
    assert next_weight([(1.0, 100.0), (10.0, 50.0)], 500.0) == pytest.approx(0.1)
    assert next_weight([(1.0, 100.0), (100.0, 1.0)], 10.0) == 10.0


def test_the_sweep_of_each_limit_ends_at_its_weight(store: Store) -> None:
    for limit in PLAN.limits:
        weights = PLAN.tried(store, SYNAPTIC, limit)
        assert len(weights) == TRIES
        assert weights[:2] == [*BRACKETS[SYNAPTIC]]
        assert PLAN.best_weight(store, SYNAPTIC, limit) == pytest.approx(100 / limit, rel=0.01)


def test_no_weight_is_named_before_the_sweep_is_done(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.jsonl", TrainConfig())
    store.add(row(Spec(SYNAPTIC, 1, 30.0, BRACKETS[SYNAPTIC][0]), 0.7, 100.0))
    assert PLAN.tried(store, SYNAPTIC, 30.0) == [*BRACKETS[SYNAPTIC]]
    assert PLAN.best_weight(store, SYNAPTIC, 30.0) is None


def test_a_fixed_penalty_gets_the_masks_of_the_budget_of_its_seed_and_limit(store: Store) -> None:
    assert fixed(store, L1, 2, 30.0, 1.0).shares == {"4": 0.2, "7": 0.2}
    assert fixed(store, L1, 2, 30.0, 1.0).targets == {}


def test_the_hinge_shares_the_limit_among_layers_as_the_free_network_spends(store: Store) -> None:
    targets = fixed(store, HINGE, 1, 30.0, 1.0).targets
    assert targets == pytest.approx({"4": 15.0, "7": 10.0, "10": 5.0})


def test_accuracy_at_equal_synops_is_between_neighbours_or_unknown() -> None:
    points = [(100.0, 0.6), (400.0, 0.8)]
    assert at_equal_synops(points, 200.0) == pytest.approx(0.7)
    assert at_equal_synops(points, 420.0) == 0.8
    assert at_equal_synops(points, 900.0) is None
    assert at_equal_synops([(0.0, 0.1), (100.0, 0.6)], 50.0) is None


def test_the_table_says_where_a_fixed_penalty_wins(store: Store) -> None:
    found = summary(store, PLAN)
    assert [(e["method"], e["limit"], len(e["seeds"])) for e in found["entries"]] == [
        (BUDGET, 150.0, 2),
        (SYNAPTIC, 150.0, 2),
        (BUDGET, 30.0, 2),
        (SYNAPTIC, 30.0, 2),
    ]
    assert found["entries"][2]["hit_error"] == pytest.approx(0.01)
    assert found["entries"][2]["below_no_budget"] == pytest.approx(0.18)
    trimmed = found["entries"][3]["trimmed"]
    assert trimmed["accuracy"] == pytest.approx(0.68)
    assert trimmed["off"] == pytest.approx([-0.01, -0.01])
    console = Console(file=io.StringIO(), width=160)
    print_summary(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "30: SSP is 8.00 points above Budget" in text
    assert "150: SSP is 0.00 points" not in text


def test_finished_runs_are_found_again_and_another_recipe_refused(
    store: Store, tmp_path: Path
) -> None:
    again = Store(tmp_path / "runs.jsonl", TrainConfig())
    assert again.rows == store.rows
    with pytest.raises(ValueError, match="Name another --out"):
        Store(tmp_path / "runs.jsonl", TrainConfig(epochs=7))


def test_every_method_has_the_recipe_of_picojoule_train() -> None:
    recipe = TrainConfig(epochs=3)
    free, limited = config_of(recipe, Spec(FREE, 2)), config_of(recipe, Spec(L1, 2, 8e3, 1.0))
    assert free == TrainConfig(epochs=3, seed=2)
    assert limited == config_of(recipe, Spec(BUDGET, 2, 8e3))
    assert limited.without_budget().differences(free.to_dict()) == [
        "groups is {'trained': ['4', '7', '10']} here and None there",
        "synapses is 'prune' here and None there",
    ]


@pytest.mark.parametrize("method", FIXED)
def test_each_method_pulls_at_the_layers_that_training_can_change(method: str) -> None:
    """Of a loss of zero, each gradient is the penalty's."""
    model = lenet(batch_size=2)
    shares = {"4": 0.25, "7": 0.125}
    with Monitor(model, weights="nonzero") as monitor:
        penalties = penalties_of(
            Spec(method, 1, 3.0, 2.0, shares, dict.fromkeys(TRAINED, 1.0)), monitor
        )
        connections = Connections(model, shares, kind="prune", steps=1)
        penalised = Penalised(penalties, connections)
        out = model((torch.rand(2, 5, 1, 28, 28) < 0.5).float())
        penalised.backward(0 * out.sum(), via=Tensor.backward)
        assert model.get_submodule("1").weight.grad.abs().sum() > 0
        penalised.step()
    assert shares_left(model) == pytest.approx(shares, rel=1e-3)
    reset_states(model)
