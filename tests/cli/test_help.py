"""Help fits the terminal that it is read in."""

from itertools import pairwise

import pytest
import typer
from typer.testing import CliRunner

from picojoule.cli.app import app

SHOWN = typer.main.get_command(app).commands  # type: ignore[attr-defined]
COMMANDS = sorted(SHOWN)


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_of_a_paragraph_fill_the_width(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    prose = done.output.split("╭")[0].splitlines()
    lines = [line.strip() for line in prose]
    for line, following in pairwise(lines):
        if line and following:
            assert len(line) + 1 + len(following.split()[0]) > 77, line


@pytest.mark.parametrize("columns", ["80", "100"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_names_of_options_are_whole(command: str, columns: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": columns})
    words = done.output.replace(",--", " --").split()
    for option in SHOWN[command].params:
        for name in (*option.opts, *option.secondary_opts):
            if name.startswith("--") and not option.hidden:
                assert name in words, name
    assert "…" not in done.output
