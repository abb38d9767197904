"""Who is told how far a run is: nobody, or a progress that shows which run it is."""

from __future__ import annotations

from picojoule.training.loop import Progress


class Silence:
    """A progress that tells nobody.

    Example:
        >>> Silence().advance("epoch 1")
    """

    def start(self, what: str, total: int, done: int) -> None:
        """Nothing."""

    def advance(self, status: str) -> None:
        """Nothing."""


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
