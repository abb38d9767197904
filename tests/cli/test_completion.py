"""What a shell offers when TAB is pressed behind `picojoule`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from picojoule.cli.app import app
from picojoule.cli.completion import complete_model, complete_profile, complete_run


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mynet.py").touch()
    Path("cnn.nir").touch()
    Path("notes.txt").touch()
    Path("nets").mkdir()
    Path("nets/other.py").touch()
    Path("runs/demo").mkdir(parents=True)
    Path("runs/demo/config.yaml").touch()


def offered(line: str) -> list[str]:
    """As bash asks for it, with the cursor at the end of the line."""
    asked = {
        "_PICOJOULE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = CliRunner().invoke(app, [], prog_name="picojoule", env=asked)
    assert done.exit_code == 0
    return done.output.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("picojoule s", ["simulate", "sweep"]),
        ("picojoule count --spi", ["--spiking"]),
        ("picojoule count lenet --profile loi", ["loihi", "loihi-routed"]),
        ("picojoule count lenet --time-axis o", ["outer"]),
        ("picojoule count ./my", ["./mynet.py:"]),
        ("picojoule train --optimizer a", ["adam", "adamw"]),
        ("picojoule train --profile truenorth-", ["truenorth-2014"]),
        ("picojoule simulate runs/d", ["runs/demo"]),
        ("picojoule simulate lenet --profile odin-", ["odin-incremental"]),
    ],
)
def test_bash_is_offered(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_a_profile_that_publishes_no_joules_is_not_offered() -> None:
    assert "speck" not in complete_profile("")
    assert complete_profile("45nm-int8+d") == ["45nm-int8+dram"]
    assert complete_profile("loihi+") == []


def test_models_are_the_built_in_ones_and_files() -> None:
    assert complete_model("") == ["lenet", "recurrent", "cnn.nir", "mynet.py:", "nets/", "runs/"]
    assert complete_model("./") == ["./cnn.nir", "./mynet.py:", "./nets/", "./runs/"]
    assert complete_model("nets/") == ["nets/other.py:"]
    assert complete_model("nowhere/x") == []
    assert complete_run("runs/") == ["runs/demo"]


def test_help_says_how_to_turn_it_on() -> None:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--help"])
    assert "picojoule --install-completion" in " ".join(done.output.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_how_to_ask(shell: str) -> None:
    """Asked by variable: `--show-completion` looks for the shell that runs it, and make runs sh."""
    source = {"_PICOJOULE_COMPLETE": f"source_{shell}"}
    shown = CliRunner().invoke(app, [], prog_name="picojoule", env=source)
    assert f"_PICOJOULE_COMPLETE=complete_{shell}" in shown.output
