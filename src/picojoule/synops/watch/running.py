"""What is watched in each thread: several Monitors may watch one model, or a model and a part of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Pass(Protocol):
    """A forward pass under watch."""

    def close(self) -> None:
        """Look no more, and leave nothing behind; more often than once does no harm."""


class Running:
    """The passes that are watched in one thread. What a Monitor does for itself meanwhile, none of them is to see.

    `passes` are those, the innermost last; `asides` is the number of contexts in which one of them computes for itself;
    `function` is the function that one of several looks at: what else it calls is its own affair.
    """

    def __init__(self) -> None:
        self.passes: list[Pass] = []
        self.asides = 0
        self.function: Any = None

    def begin(self, watched: Pass) -> None:
        """A pass begins."""
        if not self.passes:  # an interrupt may have come where a context begins or ends
            self.asides, self.function = 0, None
        self.passes.append(watched)

    def end(self, watched: Pass) -> None:
        """A pass is over; for the second time this does nothing."""
        self.passes = [each for each in self.passes if each is not watched]


_threads = threading.local()


def running() -> Running:
    """That of the thread which asks."""
    found: Running | None = getattr(_threads, "running", None)
    if found is None:
        found = _threads.running = Running()
    return found


@contextmanager
def closing() -> Iterator[None]:
    """Passes that begin inside are over at its end, however it comes."""
    here = running()
    before = len(here.passes)
    try:
        yield
    finally:
        while len(here.passes) > before:
            here.passes[-1].close()
