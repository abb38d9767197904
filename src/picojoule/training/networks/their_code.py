"""Where an error went through the user's own code."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

_OURS = Path(__file__).parents[2]
_INSTALLED = sysconfig.get_paths()
_LIBRARIES = [_OURS, *(Path(_INSTALLED[name]) for name in ("stdlib", "purelib", "platlib"))]
SHOWN = "To see all of it, put PICOJOULE_TRACEBACK=1 before the command."


def last_line_of_theirs(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost line of the user's code that an error went through, or what it was made of; None if there is none."""
    for each in _with_causes(error):
        for frame in reversed(traceback.extract_tb(each.__traceback__)):
            if not _is_of_a_library(frame.filename):
                return frame
    return None


def is_of_a_layer(error: BaseException) -> bool:
    """Whether it was raised in a layer of PyTorch that a model called, below all of our code and of the user's."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_OURS) or not _is_of_a_library(frame.filename):
            return False
        if path.parts[-4:-1] == ("torch", "nn", "modules"):
            return True
    return False


def reason(error: BaseException) -> str:
    """An error of a user's code in one sentence: what, and the last line of theirs that it went through.

    Example:
        >>> try:
        ...     {}["depth"]
        ... except KeyError as error:
        ...     reason(error).split(" (")[0]
        "KeyError: 'depth'"
    """
    line = last_line_of_theirs(error)
    place = f" ({Path(line.filename).name}, line {line.lineno})" if line else ""
    return f"{in_words(error)}{place}"


def in_words(error: BaseException) -> str:
    """What an error says, with its kind where that says more."""
    kind, text = type(error).__name__, str(error)
    plain = isinstance(error, ValueError | RuntimeError) and text
    return text if plain else f"{kind}: {text}" if text else kind


def _is_of_a_library(file: str) -> bool:
    return file.startswith("<") or any(Path(file).is_relative_to(each) for each in _LIBRARIES)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    while True:
        yield error
        if error.__cause__ is None:
            return
        error = error.__cause__
