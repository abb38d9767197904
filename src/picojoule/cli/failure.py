"""Errors as a user of the command line wants them: one sentence, no traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import FrameSummary

import typer

from picojoule.cli.flag_words import error_in_flags
from picojoule.printable import printable
from picojoule.training.config_error import ConfigError
from picojoule.training.loop.processes import is_first_process
from picojoule.training.networks.their_code import (
    SHOWN,
    in_words,
    is_of_a_layer,
    last_line_of_theirs,
)

_EXPLAINED = (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError, ImportError)
_LINES = 4  # of a message that is not ours


@contextmanager
def explained(
    command: str,
    stopped: Callable[[], str] = lambda: "stopped",
    *,
    stated: Mapping[str, object],
    flags: Mapping[str, str],
) -> Iterator[None]:
    """Print an error that its message explains, and leave with status 1; at Ctrl-C, with 130.

    One that was raised in the user's own code is told with the line; one of ours that nothing explains is raised.
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
    except (typer.Exit, typer.Abort):
        raise
    except SystemExit as error:
        place = last_line_of_theirs(error)
        where = "" if place is None else f"\n{_shown(place)}"
        _tell(
            f"{command}: the program was ended by sys.exit({error.code!r}), so there is no result.{where}"
        )
        raise typer.Exit(1) from None
    except Exception as error:
        said = _said(error, stated, flags)
        if said is None or os.environ.get("PICOJOULE_TRACEBACK"):
            raise
        _tell(f"{command}: {said}")
        raise typer.Exit(1) from None


def _said(error: Exception, stated: Mapping[str, object], flags: Mapping[str, str]) -> str | None:
    """What the user is told of an error; None of one that is neither explained nor theirs, and so our own."""
    place = _place(error)
    if isinstance(error, _EXPLAINED):
        sentence = error_in_flags(_sentence(error, stated), flags)
        return (
            sentence
            if place is None or _is_named(place, sentence)
            else f"{sentence}\n{_shown(place)}"
        )
    if place is None and not is_of_a_layer(error):
        return None
    where = _shown(place) if place is not None else "  in a layer of PyTorch that the model calls"
    return f"{_brief(in_words(error))}\n{where}\n{SHOWN}"


def _place(error: Exception) -> FrameSummary | None:
    return None if isinstance(error, ImportError) else last_line_of_theirs(error)


def _is_named(place: FrameSummary, sentence: str) -> bool:
    return f"{Path(place.filename).name}, line {place.lineno}" in sentence


def _shown(place: FrameSummary) -> str:
    file = Path(place.filename)
    here = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"  {here}, line {place.lineno}, in {place.name}: {place.line}"


def _brief(text: str) -> str:
    """Not the pages that some of PyTorch's messages have."""
    lines = text.strip().splitlines()
    return "\n".join(lines[:_LINES]) + (" ..." if len(lines) > _LINES else "")


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
