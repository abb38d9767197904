"""Errors as a user of the command line wants them: one sentence, no traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from picojoule.printable import printable
from picojoule.training.loop.processes import is_first_process

_EXPLAINED = (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError, ImportError)


@contextmanager
def explained(command: str, stopped: Callable[[], str] = lambda: "stopped") -> Iterator[None]:
    """Print an error that its message explains, and leave with status 1; at Ctrl-C, with 130.

    Of several processes, only the first prints.

    Args:
        command: begins the sentence.
        stopped: gives the sentence for Ctrl-C.

    `PICOJOULE_TRACEBACK=1` in the environment shows where it came from.
    """
    try:
        yield
    except KeyboardInterrupt:
        _tell(f"{command}: {stopped()}")
        raise typer.Exit(130) from None
    except _EXPLAINED as error:
        if os.environ.get("PICOJOULE_TRACEBACK"):
            raise
        _tell(f"{command}: {_sentence(error)}")
        raise typer.Exit(1) from None


def _tell(sentence: str) -> None:
    if is_first_process():
        typer.echo(printable(sentence), err=True)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
