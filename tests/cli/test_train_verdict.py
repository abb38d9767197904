"""What `picojoule train` says of a budget at the end, and the status that it leaves with."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from picojoule.cli.app import app
from tests.training.commands import NETWORKS


def train(out: Path, *arguments: object) -> Result:
    every = ["train", "--model", f"{NETWORKS}:model", "--data", f"{NETWORKS}:data", "--out", out]
    settings = ["--epochs", 6, "--batch-size", 8, "--learning-rate", 0.01, "--no-compare"]
    settings += ["--optimizer", "adam", "--readout", "count"]
    runner = CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(app, [str(a) for a in (*every, *settings, *arguments)])


def report(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / "report.json").read_text())
    return found


def row(done: Result, layer: str) -> list[str]:
    line = next(line for line in done.output.splitlines() if line.startswith(f"│ {layer} "))
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_the_default_limit_leaves_out_what_no_training_can_change(tmp_path: Path) -> None:
    done = train(tmp_path)
    assert done.exit_code == 0, done.output
    assert "The budget is kept on the test set.\n" in done.output
    assert "cannot be reached" not in done.output
    assert row(done, "0 Linear")[-2:] == ["", "set by the input"]
    assert row(done, "2 Linear")[-2:] == ["2,000", "kept"]
    measured = report(tmp_path)["trained"]
    assert isinstance(measured, dict)
    spent = f"{measured['synops_per_timestep']['0']:,.0f}"
    assert (
        f"The budget is kept on the test set.\nLayer 0 Linear spends {spent} SynOps per time step, set by the input: "
        "training cannot change that, and no limit is on it.\n" in done.output
    )


@pytest.mark.parametrize(("stated", "limit"), [("0=0.5,2=1000", "0.5"), ("20", "20")])
def test_a_limit_that_is_stated_covers_what_it_says(
    tmp_path: Path, stated: str, limit: str
) -> None:
    done = train(tmp_path, "--synops-per-timestep", stated)
    assert done.exit_code == 4, done.output
    assert f"note: synops_per_timestep of 0 = {limit} cannot be reached" in done.output
    assert "The budget is not kept on the test set:" in done.output
    assert "come from '0', where nothing that is trained takes part" in done.output
    assert "--unreachable 'synops_per_timestep of 0'" in done.output
    assert "no limit is on it" not in done.output
    assert row(done, "0 Linear")[-1] == "set by the input, over"
    assert report(tmp_path)["keeps_budget"] is False


def test_what_is_declared_may_stay_so_and_is_shown(tmp_path: Path) -> None:
    limits = ["--synops-per-timestep", "0=0.5,2=1000", "--unreachable", "0"]
    done = train(tmp_path, *limits)
    assert done.exit_code == 0, done.output
    kept = "The budget is kept on the test set, but for:\n  synops_per_timestep of 0:"
    assert kept in done.output
    assert "declared out of reach" in done.output
    assert row(done, "0 Linear")[-1] == "set by the input, over, declared"
    assert report(tmp_path)["keeps_budget"] is True
    again = train(tmp_path, *limits, "--resume")
    assert again.exit_code == 0, again.output


def test_to_spend_far_less_than_allowed_is_a_miss_on_request(tmp_path: Path) -> None:
    limits = ["--synops-per-timestep", "2=1000"]
    assert train(tmp_path / "any", *limits).exit_code == 0
    done = train(tmp_path / "within", *limits, "--within", 0.05)
    assert done.exit_code == 4, done.output
    assert "% below: it spends less than it may)" in done.output
    assert row(done, "2 Linear")[-1] == "below"


def test_a_network_of_no_use_leaves_with_3_whatever_it_spends(tmp_path: Path) -> None:
    done = train(tmp_path, "--model", "tests.training.test_faults:falls_silent", "--no-budget")
    assert done.exit_code == 3, done.output
    assert "note: layer '1' fell silent" in done.output
    assert "The network is of no use as it is:\n  layer '1' fell silent" in done.output
    assert row(done, "1 IAF")[-1] == "fell silent"
    assert report(tmp_path)["faults"]


def test_help_says_what_a_status_means() -> None:
    done = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["train", "--help"])
    said = " ".join(done.output.split())
    assert "Exit status: 0, the budget is kept; 4, it is not; 3, the network is of no use" in said
    for flag in ("--within", "--unreachable"):
        assert flag in said
