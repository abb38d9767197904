"""Errors as a user of the command line wants them: one sentence, no traceback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

_EXPLAINED = (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError, ImportError)


@contextmanager
def explained(command: str) -> Iterator[None]:
    """Print an error that its message explains, and leave with status 1.

    `PICOJOULE_TRACEBACK=1` in the environment shows where it came from.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"{command}: stopped; go on with --resume", err=True)
        raise typer.Exit(130) from None
    except _EXPLAINED as error:
        if os.environ.get("PICOJOULE_TRACEBACK"):
            raise
        typer.echo(f"{command}: {_sentence(error)}", err=True)
        raise typer.Exit(1) from None


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
