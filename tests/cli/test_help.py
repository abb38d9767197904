"""Help fits the terminal that it is read in."""

from itertools import pairwise

import pytest
import typer
from typer.testing import CliRunner

from picojoule.cli.app import app

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_of_a_paragraph_fill_the_width(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    prose = done.output.split("╭")[0].splitlines()
    lines = [line.strip() for line in prose]
    for line, following in pairwise(lines):
        if line and following:
            assert len(line) + 1 + len(following.split()[0]) > 77, line
