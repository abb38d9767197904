"""The seed's own task, met with no weight set by hand."""

import importlib.util
import warnings
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/keep_to_a_budget.py"


@pytest.mark.slow
def test_limits_are_kept_no_layer_dies_and_the_affordable_floors_are_reached() -> None:
    spec = importlib.util.spec_from_file_location("keep_to_a_budget", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # layer 1 and two floors are said to be out of reach
        result = example.train(seed=1, steps=300)
    assert all(result["synops_per_timestep"][name] <= 1e5 for name in example.TRAINED)
    assert min(result["mean_rate"].values()) > 0
    assert all(result["least_rate"][name] >= 0.5 for name in example.AFFORDABLE)
    assert list(result["unreachable"]) == ["synops_per_timestep of 1"]
    assert list(result["infeasible"]) == [f"min_rate of each neuron of {n}" for n in ("2", "5")]
