"""The commands, gathered."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from picojoule.cli.count import count
from picojoule.cli.info import info
from picojoule.cli.simulate import simulate
from picojoule.cli.sweep import sweep
from picojoule.cli.train import train
from picojoule.version import __version__

app = typer.Typer(
    name="picojoule",
    help="Spiking neural networks trained to an energy budget.",
    epilog="picojoule COMMAND --help tells a command's options. After picojoule --install-completion and a new shell, TAB "
    "completes commands, options and what stands behind them.",
    no_args_is_help=True,
    rich_markup_mode="rich",  # for options in groups
    pretty_exceptions_enable=False,
)
for command in (train, info, count, simulate, sweep):
    # a paragraph is one line, or its docstring's lines would be broken again at the terminal's width
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    app.command(help="\n\n".join(" ".join(text.split()) for text in paragraphs))(command)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"picojoule {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
