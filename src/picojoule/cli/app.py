"""The commands, gathered."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from picojoule.cli.count import count
from picojoule.cli.info import info
from picojoule.cli.root import root
from picojoule.cli.simulate import simulate
from picojoule.cli.sweep import sweep
from picojoule.cli.train import train

COMMANDS = (train, info, count, simulate, sweep)


def in_paragraphs(command: Callable[..., None]) -> str:
    """A command's docstring with a line for each paragraph: others would be broken again at the terminal's width."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(text.split()) for text in paragraphs)


app = root()
for command in COMMANDS:
    app.command(help=in_paragraphs(command))(command)
