"""The seed's own task, met with no weight set by hand."""

import importlib.util
import warnings
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/keep_to_a_budget.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("floor", "kept"), [(None, ()), (0.05, ("5", "8", "11")), (0.5, ("8", "11"))]
)
def test_limits_are_kept_without_swings_and_so_are_the_floors_that_they_allow(
    floor: float | None, kept: tuple[str, ...]
) -> None:
    spec = importlib.util.spec_from_file_location("keep_to_a_budget", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # layer 1 and two floors are said to be out of reach
        result = example.train(seed=1, steps=300, floor=floor)
    assert all(result["synops_per_timestep"][name] <= 1e5 for name in example.TRAINED)
    assert result["late_over_limit"]["most"] < 1.1
    assert min(result["mean_rate"].values()) > 0
    assert all(result["least_rate"][name] >= floor for name in kept)
    assert list(result["unreachable"]) == ["synops_per_timestep of 1"]
    lost = [name for name in ("2", "5", "8", "11") if floor and name not in kept]
    assert list(result["infeasible"]) == [f"min_rate of each neuron of {n}" for n in lost]
