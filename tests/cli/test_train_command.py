"""`picojoule train` as a user types it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from picojoule.cli.app import app
from tests.children import started

OF_NO_USE = 3  # the images are noise, so every run ends with one answer for all


def picojoule(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(a) for a in arguments])


def small_idx_folder(
    folder: Path, images: int = 24, side: int = 28, highest_label: int = 9
) -> Path:
    folder.mkdir(exist_ok=True)
    for prefix in ("train", "t10k"):
        pixels = bytes(i * 37 % 256 for i in range(images * side * side))
        labels = bytes(i % (highest_label + 1) for i in range(images))
        size = images.to_bytes(4, "big")
        axis = side.to_bytes(4, "big")
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(
            b"\0\0\x08\3" + size + axis * 2 + pixels
        )
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\1" + size + labels)
    return folder


def short(folder: Path) -> list[object]:
    data = small_idx_folder(folder / "data")
    return ["--data", data, "--epochs", 2, "--batch-size", 12, "--num-timesteps", 2]


@pytest.fixture
def small(tmp_path: Path) -> list[object]:
    return short(tmp_path)


def test_a_run_prints_its_tables_and_leaves_its_files(tmp_path: Path, small: list[object]) -> None:
    done = picojoule("train", *small, "--out", tmp_path / "run")
    assert done.exit_code == OF_NO_USE, done.output
    for text in (
        "Synaptic operations per time step",
        "set by the input",
        "without budget",
        "Test accuracy",
        "points of accuracy",
    ):
        assert text in done.output
    run = tmp_path / "run"
    for name in ("firing_rates.png", "synops.png"):
        assert (run / name).read_bytes().startswith(b"\x89PNG")
    assert json.loads((run / "report.json").read_text())["config"]["epochs"] == 2
    assert "1.weight" in load_file(run / "checkpoint.safetensors")
    assert "1.weight" in load_file(run / "plain/checkpoint.safetensors")


def test_the_printed_counts_are_those_of_the_report(tmp_path: Path, small: list[object]) -> None:
    done = picojoule("train", *small, "--no-compare", "--out", tmp_path / "run")
    trained = json.loads((tmp_path / "run/report.json").read_text())["trained"]
    table = done.output.partition("total")[0]
    rows = [line.strip("│ ").split("│") for line in table.splitlines() if line.startswith("│")]
    printed = {cells[0].strip(): cells[2].strip() for cells in rows if len(cells) > 2}
    assert printed == {
        f"{layer} {'Linear' if layer == '10' else 'Conv2d'}": f"{count:,.0f}"
        for layer, count in trained["synops_per_timestep"].items()
    }
    assert "without budget" not in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--epochs", "0"], "epochs is 0, expected a whole number >= 1"),
        (["--synops-per-timestep", "-5"], "--synops-per-timestep is -5.0, expected a number > 0"),
        (["--pixel-rate", "2"], "--pixel-rate is 2.0"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_folder(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = picojoule("train", "--out", tmp_path / "run", *arguments)
    assert done.exit_code == 1
    assert done.output.startswith("picojoule train: ")
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "run").exists()


def test_data_that_do_not_fit_the_model_are_named_and_leave_no_run(tmp_path: Path) -> None:
    data = small_idx_folder(tmp_path / "small", images=2, side=20)
    done = picojoule("train", "--data", data, "--out", tmp_path / "run")
    assert "the input is 20 x 20 pixels, expected at least 28 x 28" in done.output
    assert done.exit_code == 1
    done = picojoule("train", "--data", data, "--model", "recurrent", "--out", tmp_path / "run")
    assert "spike trains of shape t n, the data have samples of 5 x 1 x 20 x 20" in done.output
    assert not (tmp_path / "run/config.yaml").exists()


def test_images_of_another_size_and_number_of_classes_train(tmp_path: Path) -> None:
    data = small_idx_folder(tmp_path / "large", images=21, side=34, highest_label=20)
    arguments = ["--epochs", 1, "--num-timesteps", 2, "--no-compare", "--out", tmp_path / "run"]
    done = picojoule("train", "--data", data, *arguments)
    assert done.exit_code == OF_NO_USE, done.output
    weights = load_file(tmp_path / "run/checkpoint.safetensors")
    assert weights["10.weight"].shape == (21, 480)


def test_a_folder_with_a_run_asks_what_to_do(tmp_path: Path, small: list[object]) -> None:
    arguments = ["train", *small, "--no-compare", "--out", tmp_path / "run"]

    def report(*more: object) -> dict[str, object]:
        done = picojoule(*arguments, *more)
        assert done.exit_code == OF_NO_USE, f"{done.output}{done.exception!r}"
        content: dict[str, object] = json.loads((tmp_path / "run/report.json").read_text())
        return content

    before = report()
    assert "already holds a run" in picojoule(*arguments).output
    assert report("--resume") == before
    assert "seed is 9 here and 1 there" in picojoule(*arguments, "--resume", "--seed", 9).output
    assert report("--overwrite", "--seed", 9) != before


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


Unbroken = tuple[list[object], Path, int]
# so small a run is of no use, or just above its limit: processors round otherwise
ENDED = (
    OF_NO_USE,
    4,
)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """A command, the folder of a run of it that nothing broke off, and how that ended."""
    folder = tmp_path_factory.mktemp("unbroken")
    limit = ["--synops-per-timestep", 60_000, "--per", "trainable"]
    arguments = ["train", *short(folder), "--epochs", 12, *limit]
    status = picojoule(*arguments, "--out", folder / "run").exit_code
    assert status in ENDED
    return arguments, folder / "run", status


@pytest.mark.parametrize("kill_at", ["plain/checkpoint.safetensors", "checkpoint.safetensors"])
def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, unbroken: Unbroken, kill_at: str
) -> None:
    arguments, run, status = unbroken
    command = [sys.executable, "-m", "picojoule", *arguments, "--out", tmp_path / "killed"]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(tmp_path / "killed" / kill_at, process)
        process.kill()
    assert not (tmp_path / "killed/report.json").exists()

    resumed = picojoule(*arguments, "--out", tmp_path / "killed", "--resume")
    assert resumed.exit_code == status
    for name in ("checkpoint.safetensors", "plain/checkpoint.safetensors"):
        one, other = (load_file(folder / name) for folder in (tmp_path / "killed", run))
        assert all(torch.equal(one[key], other[key]) for key in one | other)


def test_help_and_version_answer() -> None:
    text = picojoule("train", "--help").output
    for shown in ("--synops-per-timestep", "Budget", "Machine", "Default: 2,000"):
        assert shown in text
    assert picojoule("--version").output.startswith("picojoule 0.")
