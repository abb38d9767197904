"""What a sweep shows of the progress of each of its runs."""

from __future__ import annotations

from collections.abc import Callable

from picojoule.training.record.history import Progress


class Named:
    """Passes everything on to another progress, under the name of the run.

    Args:
        name: of the run.
        progress: what it is passed to.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress

    def start(self, what: str, total: int, done: int) -> None:
        """A part of the run begins."""
        self._progress.start(f"{self._name}: {what}", total, done)

    def advance(self, status: str) -> None:
        """One of its steps is done."""
        self._progress.advance(status)

    def note(self, sentence: str) -> None:
        """Tell the user something at once."""
        self._progress.note(f"{self._name}: {sentence}")


class NotesOnly:
    """Passes notes on, and not how far the run is.

    Args:
        tell: called with each note.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell

    def start(self, what: str, total: int, done: int) -> None:
        """A part of the run begins."""

    def advance(self, status: str) -> None:
        """One of its steps is done."""

    def note(self, sentence: str) -> None:
        """Tell the user something at once."""
        self._tell(sentence)
