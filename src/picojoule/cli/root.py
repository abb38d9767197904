"""What `picojoule` is without its commands; the whole one and its outline begin with it."""

from __future__ import annotations

from typing import Annotated

import typer

from picojoule.version import __version__


def root() -> typer.Typer:
    """A new `picojoule` with no command yet."""
    app = typer.Typer(
        name="picojoule",
        help="Spiking neural networks trained to an energy budget.",
        epilog="picojoule COMMAND --help tells a command's options. After picojoule --install-completion and a new shell, TAB "
        "completes commands, options and what stands behind them.",
        no_args_is_help=True,
        rich_markup_mode="rich",  # for options in groups
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"picojoule {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
