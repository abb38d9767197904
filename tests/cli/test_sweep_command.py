"""`picojoule sweep` as a user types it."""

import json
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from picojoule.cli import sweep as command
from picojoule.cli.app import app
from picojoule.cli.frontier_table import print_frontier
from picojoule.training import Frontier, Outcome, Progress, SweepConfig, TrainConfig, sweep
from picojoule.training.sweeping import Unit
from tests.training.sweeping.pretend import pretend


def picojoule(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(a) for a in arguments])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_sweep", partial(sweep, trainer=pretend))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│ ").split("│")]


@pytest.mark.usefixtures("quick")
def test_the_table_the_picture_and_the_figures(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    done = picojoule("sweep", "--budgets", "0.25,0.5", "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.output
    rows = [cells(line) for line in done.output.splitlines() if line.startswith("│")]
    assert rows[:2] == [
        ["none", "", "396,001", "", "94.50%", "10.0%", "", "*"],
        ["50%", "198,000", "196,021", "1.0%", "93.98%", "10.0%", "yes", "*"],
    ]
    assert rows[2][0] == "25%"
    assert "Accuracy and SynOps per time step" in done.output
    assert "within 1 points of the best (94.50%): budget 50%, 93.98%" in done.output
    assert "Weights: seed1/budget-0.5." in done.output
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((out / "frontier.json").read_text())["points"]) == 3


@pytest.mark.usefixtures("quick")
def test_several_seeds_show_how_far_they_scatter(tmp_path: Path) -> None:
    done = picojoule(
        "sweep", "--budgets", 0.5, "--seeds", 2, "--within", 0, "--out", tmp_path / "a"
    )
    assert "over 2 seeds" in done.output
    assert ["none", "", "396,002", "", "94.50%", "10.0%", "", "*"] in [
        cells(line) for line in done.output.splitlines()
    ]
    assert "± 1 " in done.output
    assert "within 0 points of the best (94.50%): no budget" in done.output


@pytest.mark.usefixtures("quick")
def test_absolute_budgets_are_the_whole_networks(tmp_path: Path) -> None:
    out = ["--out", tmp_path / "a"]
    done = picojoule("sweep", "--budgets", "3e5", "--unit", "synops_per_timestep", *out)
    row = next(cells(line) for line in done.output.splitlines() if line.startswith("│300000"))
    assert row[1:4] == ["300,000", "397,001", "32.3%"]  # what pretend spends, and 1e5 in layer 1
    assert row[6] == "no"


@pytest.mark.usefixtures("quick")
def test_settings_of_training_come_from_flags_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "training.yaml"
    file.write_text("epochs: 2\nseed: 4\n")
    out = tmp_path / "a"
    arguments = ["--budgets", 0.5, "--config", file, "--epochs", 3, "--out", out]
    assert picojoule("sweep", *arguments).exit_code == 0
    training = json.loads((out / "sweep.json").read_text())["training"]
    assert (training["epochs"], training["seed"]) == (3, 4)
    assert training["min_rate"] is None  # a floor contradicts tight budgets
    other = picojoule("sweep", *arguments, "--min-rate", "2=0.01")
    assert "min_rate is {'2': 0.01} here and None there" in other.output
    file.write_text("synops_per_timestep: 60000.0\n")
    refused = picojoule("sweep", *arguments)
    assert "the training has synops_per_timestep=60000.0; leave it out" in refused.output


def test_a_run_that_fails_leaves_the_table_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        if folder.name == "budget-0.5":
            raise FloatingPointError("the loss became nan")
        return pretend(config, folder, progress)

    monkeypatch.setattr(command, "run_sweep", partial(sweep, trainer=failing))
    done = picojoule("sweep", "--budgets", 0.5, "--out", tmp_path / "a")
    assert done.exit_code == 1
    assert "396,001" in done.output
    assert "seed1/budget-0.5: the loss became nan" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("unit", ["share", "synops_per_timestep", "synops_per_sample", "energy_j"])
@pytest.mark.parametrize("size", [1.0, 12_345.0, 12_345_678.0, 1.2345678e10])
@pytest.mark.parametrize("seeds", [1, 3])
def test_no_figure_is_cut_off_in_80_columns(unit: Unit, size: float, seeds: int) -> None:
    budgets = (0.5, 0.125) if unit == "share" else (size * 1.2345, size * 0.9)
    training = TrainConfig(profile="loihi")
    asked = SweepConfig(budgets=budgets, unit=unit, seeds=seeds, training=training)
    made = {
        step: Outcome(
            1 - 0.01 * step.seed, {"4": size * step.seed}, ("4",), 0.125, 1.0, size * step.seed, 0.0
        )
        for seed in asked.all_seeds
        for step in asked.steps(seed)
    }
    frontier = Frontier.of(asked, made)
    wide, narrow = StringIO(), StringIO()
    print_frontier(frontier, 1.0, Console(file=wide, width=200))
    print_frontier(frontier, 1.0, Console(file=narrow, width=80))

    def rows(text: str) -> list[list[str]]:
        return [cells(line) for line in text.splitlines() if line.startswith("│")]

    assert rows(narrow.getvalue()) == rows(wide.getvalue())
    assert len(rows(narrow.getvalue())) >= 3
    assert "…" not in narrow.getvalue()
    table = narrow.getvalue().partition("error:")[0]
    assert max(map(len, table.splitlines())) <= 80


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_sweep", partial(sweep, trainer=stopped))
    done = picojoule("sweep", "--budgets", 0.5, "--out", tmp_path / "a")
    assert done.exit_code == 130
    assert done.output.endswith("picojoule sweep: stopped; the same command goes on\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budgets", ""], "there are no budgets"),
        (["--budgets", "half"], "--budgets is 'half', expected numbers such as 0.5,0.25,0.1"),
        (["--budgets", "-0.5"], "a budget is -0.5, expected a number > 0"),
        (["--budgets", "1e5"], "at most 1. For SynOps or joules state the unit"),
        (["--budgets", "1e-6", "--unit", "energy_j"], "need a profile"),
        (["--budgets", "0.5", "--epochs", "0"], "epochs is 0"),
        (["--budgets", "0.5", "--jobs", "0"], "jobs is 0"),
        (["--budgets", "0.5", "--within", "-1"], "--within is -1.0"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_folder(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = picojoule("sweep", "--out", tmp_path / "a", *arguments)
    assert done.exit_code == 1
    assert done.output.startswith("picojoule sweep: ")
    assert message in done.output
    assert not (tmp_path / "a").exists()


def test_help_names_what_a_sweep_is_asked_for() -> None:
    text = picojoule("sweep", "--help").output
    for option in ("--budgets", "--unit", "--seeds", "--jobs", "--storage", "--within"):
        assert option in text
