"""What `picojoule train` says of a budget at the end, and the status that it leaves with."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

import picojoule
from picojoule.cli.app import app
from tests.training.commands import NETWORKS

ANALOG = """
from torch import nn


def model():
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 3))
"""

MASKED = f"""
import runpy
import torch
from torch.nn.utils import prune

networks = runpy.run_path({str(NETWORKS)!r})


def model():
    made = networks["model"]()
    prune.random_unstructured(made[2], "weight", 0.5)
    return made
"""


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


def test_a_run_that_cannot_begin_leaves_the_finished_one(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--epochs", 1).exit_code in (0, 3, 4)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert "trained.safetensors" in before
    for wrong in (
        ("--synops-per-timestep", "typo=4"),
        ("--start-from", tmp_path / "typo.safetensors"),
        ("--model", f"{NETWORKS}:typo"),
        ("--resume",),
    ):
        done = train(tmp_path / "run", "--overwrite", *wrong)
        assert done.exit_code == 1, done.output
        assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before, (
            wrong
        )


def test_a_run_that_starts_from_the_one_it_replaces_is_refused_and_that_one_stays(
    tmp_path: Path,
) -> None:
    train(tmp_path / "run", "--epochs", 1)
    before, again = report(tmp_path / "run"), tmp_path / "run/trained.safetensors"
    done = train(tmp_path / "run", "--epochs", 1, "--overwrite", "--start-from", again)
    assert done.exit_code not in (0, 3, 4)
    assert "a file of the run that --overwrite replaces" in " ".join(done.output.split())
    assert report(tmp_path / "run") == before


def test_an_exit_budget_out_of_reach_is_no_success(tmp_path: Path) -> None:
    done = train(tmp_path, "--epochs", 2, "--exit-synops-per-sample", 1)
    assert "a budget of 1 SynOps per sample is out of reach" in done.output.replace("\n", " ")
    assert done.exit_code == 4, done.output


def test_a_run_without_its_twin_goes_on_without(tmp_path: Path) -> None:
    train(tmp_path, "--epochs", 1)
    done = CliRunner().invoke(app, ["train", "--out", str(tmp_path), "--resume"])
    assert done.exit_code in (0, 3, 4), done.output
    assert not (tmp_path / "plain").exists()


def test_a_network_with_masks_of_its_own_is_loaded_again(tmp_path: Path) -> None:
    (tmp_path / "masked.py").write_text(MASKED)
    done = train(tmp_path / "run", "--epochs", 1, "--model", f"{tmp_path / 'masked.py'}:model")
    assert done.exit_code in (0, 3, 4), done.output
    run = picojoule.load(tmp_path / "run")
    kept = load_file(tmp_path / "run/trained.safetensors")["2.weight"]
    layer = run.model.get_submodule("2")
    assert torch.equal(layer.weight_orig * layer.weight_mask, kept)
    assert 0.4 < float((kept == 0).float().mean()) < 0.6


def test_a_network_without_spikes_keeps_no_budget_in_name_alone(tmp_path: Path) -> None:
    (tmp_path / "analog.py").write_text(ANALOG)
    done = train(tmp_path / "run", "--epochs", 1, "--model", f"{tmp_path / 'analog.py'}:model")
    assert "No limit was set, so there is no budget to keep" in done.output
    assert "The budget is kept" not in done.output
