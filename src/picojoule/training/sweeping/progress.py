"""What is told of a run of a sweep, and as whose."""

from __future__ import annotations

from collections.abc import Callable

from picojoule.training.record.history import Progress


class Named:
    """Tells another progress, with the name of the run before each stretch.

    Args:
        name: of the run.
        progress: who is told.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress

    def start(self, what: str, total: int, done: int) -> None:
        """A stretch of the run begins."""
        self._progress.start(f"{self._name}: {what}", total, done)

    def advance(self, status: str) -> None:
        """One step is done."""
        self._progress.advance(status)

    def note(self, sentence: str) -> None:
        """Something that the user should know at once."""
        self._progress.note(f"{self._name}: {sentence}")


class NotesOnly:
    """Tells what the user should know at once, and not how far the run is.

    Args:
        tell: is given the sentences.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell

    def start(self, what: str, total: int, done: int) -> None:
        """A stretch of the run begins."""

    def advance(self, status: str) -> None:
        """One step is done."""

    def note(self, sentence: str) -> None:
        """Something that the user should know at once."""
        self._tell(sentence)
