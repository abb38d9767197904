"""`picojoule sweep` as a user types it."""

import json
import re
from dataclasses import replace
from functools import partial
from io import StringIO
from itertools import pairwise
from math import log10
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from picojoule.budget import ExitFigures
from picojoule.cli import sweep as command
from picojoule.cli.app import app
from picojoule.cli.frontier_picture import draw_frontier
from picojoule.cli.frontier_table import print_frontier
from picojoule.training import Frontier, Outcome, Progress, SweepConfig, TrainConfig, sweep
from picojoule.training.sweeping import Unit
from tests.training.sweeping.pretend import pretend
from tests.training.sweeping.test_comparison import run, write


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
        ["none", "", "396,001", "", "94.50%", "10.0%", "10", "", "*"],
        ["50%", "198,000", "196,021", "1.0%", "93.98%", "10.0%", "10", "yes", "*"],
    ]
    assert rows[2][0] == "25%"
    assert "Accuracy and SynOps per time step" in done.output
    assert "within 1 points of the best (94.50%): budget 50%, 93.98%" in done.output
    assert "Weights: seed1/budget-0.5." in done.output
    assert "All have equal training steps." in done.output
    spent, accuracy = (396_001, 196_021.495, 98_011.2475), (0.945, 0.9398, 0.9296)
    volume = sum(
        a * log10(most / c) for (most, c), a in zip(pairwise(spent), accuracy[1:], strict=True)
    )
    said = re.search(
        r"Hypervolume, .* below 396,001 SynOps per time step, .*: ([0-9.]+)\.", done.output
    )
    assert said is not None
    assert float(said[1]) == pytest.approx(volume, abs=1e-3)
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((out / "frontier.json").read_text())["points"]) == 3


@pytest.mark.usefixtures("quick")
def test_several_seeds_show_how_far_they_scatter(tmp_path: Path) -> None:
    done = picojoule(
        "sweep", "--budgets", 0.5, "--seeds", 2, "--points", 0, "--out", tmp_path / "a"
    )
    assert "over 2 seeds" in done.output
    assert ["none", "", "396,002", "", "94.50%", "10.0%", "60", "", "*"] in [
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
    assert row[7] == "no"


@pytest.mark.usefixtures("quick")
def test_continued_budgets_have_the_steps_of_those_before_them(tmp_path: Path) -> None:
    done = picojoule("sweep", "--budgets", "0.5,0.25", "--continue", "--epochs", 2, "--out", tmp_path / "a")  # fmt: skip
    rows = [cells(line) for line in done.output.splitlines() if line.startswith("│")]
    assert [row[6] for row in rows[::2]] == ["20"] * 3
    assert rows[1::2] == [["/20"], ["/40"], ["/60"]]
    assert "and in all, with those of the looser budgets" in done.output
    assert "without the connections that these lost" in done.output
    again = picojoule("sweep", "--budgets", "0.5,0.25", "--epochs", 2, "--out", tmp_path / "a")
    assert "equal_steps is True here and False there" in again.output


@pytest.mark.usefixtures("quick")
def test_axes_come_from_flags_and_from_lists_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "training.yaml"
    file.write_text("num_timesteps: [3, 5]\nlearning_rate: [1e-3, 4e-3]\n")
    flags = ["--budgets", 0.5, "--config", file, "--learning-rate", "2e-3", "--axis", "epochs=1,2"]
    done = picojoule("sweep", *flags, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    asked = json.loads((tmp_path / "a" / "sweep.json").read_text())
    assert asked["axes"] == {"num_timesteps": [3, 5], "epochs": [1, 2]}
    assert asked["training"]["learning_rate"] == 2e-3
    text = " ".join(done.output.split())
    for steps in (3, 5):
        for epochs in (1, 2):
            assert f"num_timesteps={steps}, epochs={epochs}" in text
    assert "SynOps per sample, in the layers" in text
    assert "The points differ in training steps." in text
    assert "budget 50% with num_timesteps=3, epochs=2, " in text  # the best of the cheapest
    assert (tmp_path / "a" / "frontier.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("quick")
def test_other_methods_stand_beside(tmp_path: Path) -> None:
    runs = [
        run("no budget", 1, 0.95, 400_000),
        run("SSP", 1, 0.90, 40_000, weight=0.3),
        run("it's L1", 1, 0.80, 50_000, weight=2),
    ]
    others = write(tmp_path / "budget.json", runs, num_timesteps=5, epochs=6)
    flags = ["--budgets", 0.5, "--epochs", 2, "--beside", others]
    done = picojoule("sweep", *flags, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    assert "trained otherwise: epochs is 6 there and 2 here" in " ".join(done.output.split())
    ssp, l1 = 0.9 * log10(400_000 / 40_000), 0.8 * log10(400_000 / 50_000)
    assert "below 400,000 SynOps per time step, in the layers that training can change: this sweep " in done.output  # fmt: skip
    assert f", SSP {ssp:.4f}, it's L1 {l1:.4f}. More is better." in done.output
    assert (tmp_path / "a" / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_stand_beside_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    others = write(tmp_path / "budget.json", [run("SSP", 1, 0.90, 40_000)])
    joules = ["--budgets", "1e-6", "--unit", "energy_j", "--profile", "loihi"]
    done = picojoule("sweep", *joules, "--beside", others, "--out", tmp_path / "a")
    assert "budget.json: these cannot be compared: SynOps per time step" in done.output
    task = ["--budgets", 0.5, "--task", "mine.py:make"]
    done = picojoule("sweep", *task, "--beside", others, "--out", tmp_path / "a")
    assert "it has accuracies, and the task mine.py:make a score of its own" in done.output
    others.write_text("{}")
    done = picojoule("sweep", "--budgets", 0.5, "--beside", others, "--out", tmp_path / "a")
    assert "budget.json is no comparison of methods" in done.output
    done = picojoule("sweep", "--budgets", 0.5, "--beside", tmp_path / "no", "--out", tmp_path / "a")  # fmt: skip
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert not (tmp_path / "a").exists()


def test_what_a_network_does_not_keep_is_below_the_table() -> None:
    asked = SweepConfig(budgets=(0.5,))
    free, half = asked.runs(1)
    sound = Outcome(0.9, {"4": 1e4}, ("4",), 0.1, 5)
    broken = replace(sound, broken=("synops_per_timestep of trainable: spends less than it may",))
    out = StringIO()
    frontier = Frontier.of(asked, {free: sound, half: broken})
    print_frontier(frontier, 1.0, console=Console(file=out, width=80))
    assert (
        "Beyond their bounds on the test set, by however little:\n  seed1/budget-0.5: synops_per_timestep of trainable: spends less"
        in out.getvalue()
    )


def test_networks_with_early_exit_have_a_table_of_their_own() -> None:
    asked = SweepConfig(budgets=(0.5,))
    free, half = asked.runs(1)
    plain = Outcome(0.9, {"4": 1e4}, ("4",), 0.1, 5)
    early = replace(plain, after_exit=ExitFigures(0.875, 2.5, 30_000.0))
    out = StringIO()
    frontier = Frontier.of(asked, {free: plain, half: early})
    print_frontier(frontier, 1.0, console=Console(file=out, width=80))
    table = out.getvalue().split("With early exit")[1].split("error:")[0]
    rows = [line.strip("│ ").split("│") for line in table.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["50%", "87.50%", "2.50", "30,000", "60.0%"]
    ]


def test_a_network_of_no_use_is_named_below_the_table() -> None:
    asked = SweepConfig(budgets=(0.5,))
    free, half = asked.runs(1)
    sound = Outcome(0.9, {"4": 1e4}, ("4",), 0.1, 5)
    silent = replace(sound, faults=("layer '2' fell silent",))
    out = StringIO()
    frontier = Frontier.of(asked, {free: sound, half: silent})
    print_frontier(frontier, 1.0, console=Console(file=out, width=80))
    assert "\nOf no use: seed1/budget-0.5: layer '2' fell silent\n" in out.getvalue()


def test_another_score_stands_by_its_name_and_has_no_hypervolume(tmp_path: Path) -> None:
    asked = SweepConfig(budgets=(0.5,))
    free, half = asked.runs(1)
    good = Outcome(-0.25, {"4": 1e4}, ("4",), 0.1, 5, score_name="negative error")
    out = StringIO()
    frontier = Frontier.of(asked, {free: good, half: replace(good, accuracy=-0.255)})
    print_frontier(frontier, 1.0, console=Console(file=out, width=100))
    text = out.getvalue()
    assert "Negative error and SynOps per time step" in text
    assert "Cheapest within 0.01 of the best (-0.25): no budget, -0.25 (0 less)" in text
    assert "Hypervolume" not in text
    draw_frontier(frontier, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("flag", ["--within", "--met-within"])
def test_what_is_left_over_is_a_miss_on_request(tmp_path: Path, flag: str) -> None:
    flags = ["--budgets", 0.5, "--margin", 0.001, flag, 0.005]
    done = picojoule("sweep", *flags, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    row = next(cells(line) for line in done.output.splitlines() if line.startswith("│50%"))
    assert row[3:8:4] == ["1.0%", "no"]  # 1 % below
    assert "met: at most 5% above the budget and 0.5% below it." in " ".join(done.output.split())
    wrong = picojoule("sweep", "--budgets", 0.5, flag, 5, "--out", tmp_path / "b")
    assert "within is 5.0, expected a share in (margin, 1)" in wrong.output


@pytest.mark.usefixtures("quick")
def test_limits_that_may_stay_broken_are_no_axis(tmp_path: Path) -> None:
    flags = ["--budgets", 0.5, "--unreachable", "trainable", "--unreachable", "4"]
    done = picojoule("sweep", *flags, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    asked = json.loads((tmp_path / "a" / "sweep.json").read_text())
    assert asked["axes"] == {}
    assert asked["training"]["unreachable"] == ["trainable", "4"]


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
@pytest.mark.parametrize("equal_steps", [True, False])
def test_no_figure_is_cut_off_in_80_columns(
    unit: Unit, size: float, seeds: int, equal_steps: bool
) -> None:
    budgets = (0.5, 0.125) if unit == "share" else (size * 1.2345, size * 0.9)
    training = TrainConfig(profile="loihi")
    asked = SweepConfig(
        budgets=budgets, unit=unit, seeds=seeds, training=training, equal_steps=equal_steps
    )
    made = {
        run: Outcome(
            1 - 0.01 * run.seed,
            {"4": size * run.seed},
            ("4",),
            0.125,
            1.0,
            size * run.seed,
            0.0,
            steps=7200,
        )
        for seed in asked.all_seeds
        for run in asked.runs(seed)
    }
    frontier = Frontier.of(asked, made)
    wide, narrow = StringIO(), StringIO()
    print_frontier(frontier, 1.0, console=Console(file=wide, width=200))
    print_frontier(frontier, 1.0, console=Console(file=narrow, width=80))

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
        (["--budgets", ""], "--budgets is "),
        (["--budgets", "half"], "--budgets is 'half', expected numbers such as 0.5,0.25,0.1"),
        (["--budgets", "-0.5"], "a budget is -0.5, expected a number > 0"),
        (["--budgets", "1e5"], "at most 1. For SynOps or joules give --unit one of"),
        (["--budgets", "1e-6", "--unit", "energy_j"], "need a profile"),
        (["--budgets", "0.5", "--epochs", "0"], "epochs is 0"),
        (["--budgets", "0.5", "--jobs", "0"], "jobs is 0"),
        (["--budgets", "0.5", "--points", "-1"], "--points is -1.0"),
        (["--budgets", "0.5", "--axis", "epochs"], "is no setting with values"),
        (["--budgets", "0.5", "--axis", "epoch=1,2"], "Did you mean 'epochs'"),
        (["--budgets", "0.5", "--axis", "epochs=1,2", "--epochs", 3], "--axis epochs and --epochs"),
        (["--budgets", "0.5", "--axis", "seed=1,2"], "seed is no axis"),
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
    for option in (
        "--budgets",
        "--unit",
        "--seeds",
        "--jobs",
        "--storage",
        "--points",
        "--axis",
        "--continue",
    ):
        assert option in text
