"""The README's code runs, and its numbers are those of the result files in this tree."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_its_code_blocks_run_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert len(blocks) >= 2
    assert "SynOps per step" in capsys.readouterr().out


def test_its_table_is_that_of_the_committed_run() -> None:
    report = json.loads((ROOT / "benchmarks/results/train.json").read_text())
    stages = [report[k] for k in ("untrained", "trained_without_budget", "trained")]
    for layer in ("1", "4", "7", "10"):
        counts = [f"{stage['synops_per_timestep'][layer]:,.0f}" for stage in stages]
        assert f"| SynOps per step, layer {layer} | {' | '.join(counts)} |" in README
    for layer in ("8", "11"):
        shares = [f"{stage['silent_share'][layer]:.1%}" for stage in stages]
        assert f"| silent neurons, layer {layer} | {' | '.join(shares)} |" in README
    accuracies = [f"{stage['accuracy']:.2%}" for stage in stages]
    assert f"| test accuracy | {' | '.join(accuracies)} |" in README
    two = json.loads((ROOT / "benchmarks/results/train_two_threads.json").read_text())
    ends = [two[k]["accuracy"] for k in ("trained_without_budget", "trained")]
    assert f"{ends[0]:.2%} and {ends[1]:.2%}" in README


def test_its_table_of_limits_is_that_of_the_committed_runs() -> None:
    runs = json.loads((ROOT / "benchmarks/results/tight_limits.json").read_text())["runs"].values()
    for limit in (0, 16_000, 8_000, 4_650, 4_000, 2_000):
        rows = [row for row in runs if row["limit"] == limit]
        assert len(rows) == 3
        spent = ", ".join(f"{row['synops_per_timestep']:,.0f}" for row in rows)
        accuracy = 100 * sum(row["accuracy"] for row in rows) / len(rows)
        assert f"| {f'{limit:,}' if limit else 'none'} | {spent} | {accuracy:.2f}% |" in README
        assert all(-0.05 <= row["off"] <= 0.01 for row in rows if limit)


def test_its_table_of_a_conversion_is_that_of_the_committed_run() -> None:
    report = json.loads((ROOT / "benchmarks/results/convert_a_cnn.json").read_text())
    for stage in report["stages"]:
        figures = f"{stage['accuracy']:.2%} | {stage['synops_per_timestep']:,.0f}"
        assert f"| {stage['name']} | {figures} |" in README


def test_its_links_within_the_tree_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
