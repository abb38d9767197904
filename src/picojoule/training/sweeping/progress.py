"""A progress that shows which run it is."""

from __future__ import annotations

from picojoule.training.history import Progress


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
