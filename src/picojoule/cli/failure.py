"""Errors as a user of the command line wants them: one sentence, no traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import typer

from picojoule.cli.flag_words import error_in_flags
from picojoule.printable import printable
from picojoule.training.config_error import ConfigError
from picojoule.training.loop.processes import is_first_process

_EXPLAINED = (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError, ImportError)


@contextmanager
def explained(
    command: str,
    stopped: Callable[[], str] = lambda: "stopped",
    *,
    stated: Mapping[str, object],
    flags: Mapping[str, str],
) -> Iterator[None]:
    """Print an error that its message explains, and leave with status 1; at Ctrl-C, with 130.

    Of several processes, only the first prints.

    Args:
        command: begins the sentence.
        stopped: gives the sentence for Ctrl-C.
        stated: the user's values by the options as they are typed.
        flags: what options that errors name as Python does are called here.

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
        _tell(f"{command}: {error_in_flags(_sentence(error, stated), flags)}")
        raise typer.Exit(1) from None


def _tell(sentence: str) -> None:
    if is_first_process():
        typer.echo(printable(sentence), err=True)


def _sentence(error: BaseException, stated: Mapping[str, object]) -> str:
    if isinstance(error, OSError) and error.strerror:
        return _of_the_system(error, stated)
    if isinstance(error, ConfigError):
        flag = as_flag(error.setting)
        if stated.get(flag) is not None:
            return str(error).replace(f"training: {error.setting} is ", f"{flag} is ")
    return str(error)


def _of_the_system(error: OSError, stated: Mapping[str, object]) -> str:
    """What the system says of a file, with the option that named it."""
    if not error.filename:
        return str(error.strerror)
    file = str(error.filename)
    given = {flag: value if isinstance(value, list) else [value] for flag, value in stated.items()}
    flag = next((flag for flag, values in given.items() if file in map(str, values)), None)
    if flag is None:
        return f"{file}: {error.strerror}"
    missing = error.errno == errno.ENOENT
    way = f". Give {flag} the path of a file that is there." if missing else ""
    return f"{flag} {file}: {error.strerror}{way}"


def as_flag(name: str) -> str:
    """A setting as it is typed.

    Example:
        >>> as_flag("learning_rate")
        '--learning-rate'
    """
    return "--" + name.replace("_", "-")
