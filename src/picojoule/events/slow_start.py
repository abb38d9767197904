"""Telling a user, once, why a first call takes long: machine code is being made, which is kept for the next time.

It is a line of the logger "picojoule", on stderr unless logging is set up otherwise, and no warning: nothing is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HOW_LONG = {"breadth": "tens of seconds", "depth": "tens of seconds"}
_said: set[str] = set()


def _log(sentence: str) -> None:
    logging.getLogger("picojoule").warning("picojoule.events: %s", sentence)


_tell: ContextVar[Callable[[str], None]] = ContextVar("tell", default=_log)


@contextmanager
def telling(tell: Callable[[str], None]) -> Iterator[None]:
    """Inside, sentences go to `tell`.

    Example:
        >>> _said.clear()  # as in a new process
        >>> with telling(print):
        ...     say_that_it_compiles("depth")
        compiling the kernels of order='depth' for this machine; this takes tens of seconds, once, since they are kept on disk.
    """
    before = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(before)


def say_that_it_compiles(kernel: str) -> None:
    """That a kernel is being made; once a process for each order of execution."""
    what = f"kernels of order={kernel!r}" if kernel in _HOW_LONG else "kernels of the layers"
    if what not in _said:
        _said.add(what)
        _tell.get()(
            f"compiling the {what} for this machine; this takes {_HOW_LONG.get(kernel, 'seconds')}, once, since they are kept on "
            "disk."
        )
