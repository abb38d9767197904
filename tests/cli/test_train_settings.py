"""Settings of `picojoule train`: a file, flags over it, and what a run was started with."""

import inspect
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from picojoule.cli.app import app
from picojoule.cli.train import train
from picojoule.training import load
from picojoule.training.files.yaml_file import read_settings
from picojoule.training.settings.config import setting_choices, setting_types
from tests.children import started

NETWORKS = Path(__file__).parents[1] / "training/networks.py"


def picojoule(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, [str(a) for a in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        f"""
        model: {NETWORKS}:model
        data: {NETWORKS}:data
        epochs: 2
        batch_size: 8
        synops_per_timestep: {{2: 50, 4: 2e1}}
        optimizer: adam
        readout: count
        out: {tmp_path / "run"}
        compare: false
        """
    )
    return path


def test_flags_override_the_file_and_what_was_resolved_is_kept(tmp_path: Path, file: Path) -> None:
    done = picojoule("train", "--config", file, "--epochs", 1, "--min-rate", "1=0.02,3=0.01")
    assert done.exit_code == 0, done.output
    saved = read_settings(tmp_path / "run/config.yaml").values
    assert saved["epochs"] == 1
    assert saved["batch_size"] == 8
    assert saved["synops_per_timestep"] == {"2": 50.0, "4": 20.0}
    assert saved["min_rate"] == {"1": 0.02, "3": 0.01}
    assert saved["learning_rate"] is None
    assert "without budget" not in done.output

    again = picojoule(
        "train",
        "--config",
        tmp_path / "run/config.yaml",
        "--no-compare",
        "--out",
        tmp_path / "again",
    )
    assert again.exit_code == 0
    assert read_settings(tmp_path / "again/config.yaml").values == saved
    one, other = (
        load_file(tmp_path / name / "checkpoint.safetensors") for name in ("run", "again")
    )
    assert all(bool((one[name] == other[name]).all()) for name in one)


def test_a_run_goes_on_with_its_own_settings(tmp_path: Path, file: Path) -> None:
    assert picojoule("train", "--config", file).exit_code == 0
    before = (tmp_path / "run/checkpoint.safetensors").read_bytes()
    done = picojoule("train", "--out", tmp_path / "run", "--no-compare", "--resume")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run/checkpoint.safetensors").read_bytes() == before
    other = picojoule("train", "--out", tmp_path / "run", "--resume", "--epochs", 9)
    assert "epochs is 9 here and 2 there" in other.output


def test_a_run_from_before_its_settings_were_renamed_goes_on(tmp_path: Path, file: Path) -> None:
    flags = ["--pixel-rate", "0.75", "--max-rate", "1=0.5"]
    assert picojoule("train", "--config", file, *flags).exit_code in (0, 4)
    saved = tmp_path / "run/config.yaml"
    now = saved.read_text()
    before = now.replace("max_rate:", "highest_rate:").replace("pixel_rate:", "max_rate:")
    assert "max_rate: 0.75" in before
    assert "highest_rate:\n  '1': 0.5" in before
    saved.write_text(before)
    done = picojoule("train", "--out", tmp_path / "run", "--no-compare", "--resume")
    assert done.exit_code in (0, 4), done.output
    other = picojoule("train", "--out", tmp_path / "run", "--resume", "--pixel-rate", 0.5)
    assert "pixel_rate is 0.5 here and 0.75 there" in other.output
    run = load(tmp_path / "run")
    assert (run.config.pixel_rate, run.config.max_rate) == (0.75, {"1": 0.5})


def test_the_help_of_a_flag_has_all_words_that_the_setting_may_be() -> None:
    words = {name: [word for word in may if word] for name, may in setting_choices().items()}
    assert words["per"] == ["layer", "group", "model", "sample", "trainable"]
    for flag in inspect.signature(train).parameters.values():
        if flag.name in words:
            (option,) = flag.annotation.__metadata__
            assert f"One of {', '.join(words[flag.name])}." in option.help
            words.pop(flag.name)
    assert words == {}


def test_every_setting_has_a_flag() -> None:
    named = {"group": "groups"}
    flags = {named.get(name, name) for name in inspect.signature(train).parameters}
    own = {"config", "out", "resume", "overwrite", "compare", "tensorboard", "no_budget"}
    assert flags - own - {"highest_rate"} == set(setting_types())


def test_layers_share_a_limit_in_a_group(tmp_path: Path, file: Path) -> None:
    flags = ["--group", "tail=2,4", "--synops-per-timestep", "tail=60"]
    done = picojoule("train", "--config", file, "--epochs", 1, "--min-rate", "1e-6", *flags)
    assert done.exit_code == 0, done.output
    saved = read_settings(tmp_path / "run/config.yaml").values
    assert saved["groups"] == {"tail": ["2", "4"]}
    assert saved["synops_per_timestep"] == {"tail": 60.0}
    again = picojoule("train", "--out", tmp_path / "run", "--no-compare", "--resume")
    assert again.exit_code == 0, again.output
    other = picojoule("train", "--config", file, "--group", "tail=9", *flags[2:], "--overwrite")
    assert "the model has no module '9'" in other.output


def test_without_a_budget_there_is_nothing_to_keep(tmp_path: Path, file: Path) -> None:
    text = file.read_text().replace("synops_per_timestep: {2: 50, 4: 2e1}", "")
    file.write_text(text)
    done = picojoule("train", "--config", file, "--no-budget")
    assert done.exit_code == 0, done.output
    assert "kept" not in done.output
    saved = read_settings(tmp_path / "run/config.yaml").values
    assert saved["synops_per_timestep"] is saved["min_rate"] is None


@pytest.mark.parametrize(
    ("line", "arguments", "message"),
    [
        ("epoch: 3", [], "run.yaml, line 1: there is no setting 'epoch'. Did you mean 'epochs'?"),
        ("compare: maybe", [], "run.yaml, line 1: compare is 'maybe', expected true or false"),
        ("", ["--synops-per-timestep", "lots"], "--synops-per-timestep: 'lots' is neither"),
        ("", ["--no-budget", "--min-rate", "1"], "--no-budget and --min-rate contradict"),
        ("", ["--synops-per-timestep", "nowhere=5"], "has no module 'nowhere'. Did you mean"),
        ("", ["--min-rate", "0.5", "--max-rate", "0.1"], "min_rate is 0.5, above max_rate 0.1"),
        (
            "",
            ["--highest-rate", "0.1"],
            "it is 'max_rate' now, and what was 'max_rate' is 'pixel_rate'",
        ),
        ("", ["--energy-j", "1e-6"], "Give a profile, such as --profile loihi"),
        ("", ["--energy-j", "1e-6", "--profile", "lohi"], "loihi"),
        ("", ["--model", "tests.nowhere:build"], "There is no module 'tests.nowhere'"),
        ("", ["--start-from", "nothing.safetensors"], "nothing.safetensors: No such file"),
    ],
)
def test_a_mistake_is_one_sentence(
    file: Path, tmp_path: Path, line: str, arguments: list[str], message: str
) -> None:
    if line:
        file.write_text(f"{line}\n")
    done = picojoule("train", "--config", file, "--out", tmp_path / "run", *arguments)
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "run/config.yaml").exists()


def test_what_cannot_be_kept_is_said_at_once_and_in_words(tmp_path: Path, file: Path) -> None:
    done = picojoule("train", "--config", file, "--synops-per-timestep", "0=0.5,2=50")
    assert done.exit_code == 4, done.output
    assert "note: synops_per_timestep of 0 = 0.5 cannot be reached" in done.output
    assert "BudgetWarning" not in done.output
    assert "The budget is not kept on the test set:" in done.output


def interrupted(arguments: list[object], seen: Path) -> tuple[int, str]:
    """Exit status and words of a run that is sent Ctrl-C once a file is there."""
    command = [sys.executable, "-m", "picojoule", "train", *arguments]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not seen.exists():
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        return process.returncode, said


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(tmp_path: Path, file: Path) -> None:
    run = tmp_path / "run"
    arguments = ["--config", file, "--epochs", 5000]
    status, said = interrupted(arguments, run / "checkpoint.safetensors")
    assert status == 130
    assert "Traceback" not in said
    assert f"Go on with picojoule train --out {run} --no-compare --resume" in said
    assert "0.weight" in load_file(run / "checkpoint.safetensors")
