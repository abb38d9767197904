"""The tiniest tasks of the gym: the Budget's defaults keep what they promise on data that was not trained on."""

import pytest

from benchmarks.budget_gym.run import Spec, run


@pytest.mark.parametrize(
    ("task", "synapses"), [("tiny-10", "keep"), ("tiny-10", "prune"), ("tiny-model-50", "keep")]
)
def test_no_rule_of_the_gym_is_broken(task: str, synapses: str) -> None:
    row = run(Spec(task, seed=1, synapses=synapses))
    assert "failure" not in row, row
    assert [rule for rule, kept in row["verdict"].items() if not kept] == [], row
    assert row["accuracy"]["after"] > row["accuracy"]["free"] - 0.1
