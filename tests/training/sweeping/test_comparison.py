"""Networks of other methods, from the result file of a comparison."""

import json
from pathlib import Path
from typing import Any

import pytest

from picojoule.training import Cost, Spread, TrainConfig
from picojoule.training.sweeping.comparison import read_comparison

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


def run(method: str, seed: int, accuracy: float, spent: float, **more: Any) -> dict[str, Any]:
    layers = {"4": 0.75 * spent, "7": 0.25 * spent}
    return {"method": method, "seed": seed, "accuracy": accuracy, "by_layer": layers, **more}


def write(path: Path, runs: list[dict[str, Any]], **settings: Any) -> Path:
    settings = {"epochs": 6, "num_timesteps": 5, "shares": [0.5], "seeds": [1, 2], **settings}
    path.write_text(json.dumps({"settings": settings, "runs": runs, "entries": []}))
    return path


RUNS = [
    run("no budget", 1, 0.90, 1000),
    run("no budget", 2, 0.94, 2000),
    run("Budget", 2, 0.92, 990, share=0.5, budget=1000),
    run("Budget", 1, 0.90, 495, share=0.5, budget=500),
    run("SSP", 1, 0.99, 100, weight=0.1),
    run("SSP", 1, 0.86, 600, weight=0.3),
    run("SSP", 2, 0.88, 800, weight=0.3),
]


def test_each_method_is_a_point_for_what_was_trained_with_all_seeds(tmp_path: Path) -> None:
    frontier = read_comparison(write(tmp_path / "budget.json", RUNS)).frontier
    assert frontier.cost == Cost("synops_per_timestep", "trainable")
    assert [(p.method, p.budget, p.settings) for p in frontier.points] == [
        ("no budget", None, ()),
        ("Budget", 0.5, ()),
        ("SSP", None, (("weight", 0.3),)),  # 0.1 was only tried, on one seed
    ]
    free, half, ssp = frontier.points
    assert free.spent.mean == 1500
    assert [model.seed for model in half.models] == [1, 2]
    assert half.limit == Spread.of([500, 1000])
    assert ssp.accuracy.mean == pytest.approx(0.87)
    assert (ssp.limit, ssp.steps_in_all) == (None, None)


def test_each_method_has_the_networks_without_a_budget_beside_its_own(tmp_path: Path) -> None:
    frontier = read_comparison(write(tmp_path / "budget.json", RUNS)).frontier
    alone = frontier.by_method()
    assert list(alone) == ["Budget", "SSP"]
    assert [point.method for point in alone["SSP"].points] == ["no budget", "SSP"]


def test_how_they_were_trained_is_held_against_ours(tmp_path: Path) -> None:
    comparison = read_comparison(write(tmp_path / "a.json", RUNS, learning_rate=2e-3, hold=0.7))
    assert comparison.differences(TrainConfig(optimizer="adam")) == []
    assert comparison.differences(TrainConfig(optimizer="sgd", epochs=2, num_timesteps=3)) == [
        "epochs is 6 there and 2 here",
        "num_timesteps is 5 there and 3 here",
        "learning_rate is 0.002 there and 0.1 here",
    ]
    own = read_comparison(write(tmp_path / "b.json", RUNS, optimizer="sgd", learning_rate=None))
    assert own.differences(TrainConfig(optimizer="sgd", learning_rate=0.1)) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda found: found.pop("runs"), "'runs' is missing"),
        (lambda found: found["settings"].pop("num_timesteps"), "'num_timesteps' is missing"),
        (lambda found: found["runs"].append(3), "damaged"),
        (lambda found: found["runs"][0].update(accuracy="high"), "'high' is no number"),
        (lambda found: found["runs"][0].update(accuracy=82.5), "82.5 is not from 0 to 1"),
        (lambda found: found["runs"][0].update(seed=1.5), "1.5 is no whole number"),
        (lambda found: found["runs"][0]["by_layer"].update({"4": -1}), "-1 is not from 0"),
        (lambda found: found["runs"].clear(), "without runs"),
    ],
)
def test_what_is_no_comparison_is_named(tmp_path: Path, damage: Any, message: str) -> None:
    path = write(tmp_path / "budget.json", RUNS)
    found = json.loads(path.read_text())
    damage(found)
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=rf"budget\.json is .*{message}"):
        read_comparison(path)


def test_the_published_comparison_is_read_as_its_own_table_has_it() -> None:
    path = RESULTS / "budget.json"
    entries = json.loads(path.read_text())["entries"]
    points = read_comparison(path).frontier.points
    for entry in entries:
        settings = () if entry["weight"] is None else (("weight", entry["weight"]),)
        same = [
            p for p in points
            if (p.method, p.settings) == (entry["method"], settings) and p.budget in (None, entry["share"])
        ]  # fmt: skip
        assert [p.accuracy.mean for p in same] == [pytest.approx(entry["accuracy"])]
