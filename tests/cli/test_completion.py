"""What a shell offers when TAB is pressed behind `picojoule`, without a wait for PyTorch."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from picojoule.cli.app import app
from picojoule.cli.completion import TABLE, complete_model, complete_profile, complete_run
from picojoule.cli.outline import outline
from tests.python import python

ROOT = Path(__file__).parents[2]
OUTLINE = outline()
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def completion_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import completion_table

    yield completion_table
    sys.modules.pop("completion_table", None)


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


def asked(line: str) -> dict[str, str]:
    """As bash asks for it, with the cursor at the end of the line."""
    return {
        "_PICOJOULE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }


def offered(line: str, by: typer.Typer = OUTLINE) -> list[str]:
    done = CliRunner().invoke(by, [], prog_name="picojoule", env=asked(line))
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


# ---- the outline, which answers, is that of the commands


def test_the_table_is_that_of_the_commands(completion_table: ModuleType) -> None:
    assert TABLE.read_text() == completion_table.written(), "python tools/completion_table.py"


def lines(command: str) -> list[str]:
    shown = COMMANDS[command].params
    values = [option for each in shown for option in each.opts if option.startswith("--")]
    return [
        f"picojoule {command} ",
        f"picojoule {command} -",
        *(f"picojoule {command} {option} " for option in values),
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_outline_offers_what_the_commands_do(command: str) -> None:
    for line in lines(command):
        assert offered(line) == offered(line, app), line


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_shells_that_show_help_have_that_of_the_commands(shell: str) -> None:
    for line in ("picojoule ", "picojoule train --", "picojoule sweep --"):
        env = {
            "_PICOJOULE_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        one, other = (
            CliRunner().invoke(each, [], prog_name="picojoule", env=env).output
            for each in (OUTLINE, app)
        )
        assert one == other
        assert len(one) > 100


@pytest.mark.parametrize("columns", ["80", "120"])
def test_its_help_is_that_of_the_commands(columns: str) -> None:
    one, other = (
        CliRunner().invoke(each, ["--help"], env={"COLUMNS": columns}).output
        for each in (OUTLINE, app)
    )
    assert one == other
    assert "simulate" in one


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        ([], asked("picojoule count lenet --profile loi"), "loihi-routed"),
        ([], asked("picojoule simulate runs/d"), "runs/demo"),
        (["--help"], {}, "simulate"),
        (["--version"], {}, "picojoule 0."),
        ([], {}, "Usage: picojoule"),
    ],
)
def test_it_answers_where_pytorch_cannot_be_imported(
    arguments: list[str], env: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code = (
        f"import sys; sys.modules['torch'] = None; sys.argv = ['picojoule', *{arguments}]\n"
        "from picojoule.cli import main\nmain()"
    )
    done = python("-c", code)
    assert words in done.stdout, done.stderr
