"""A progress bar on a terminal; elsewhere a line for each part of a run."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from picojoule.printable import printable


class ProgressBar:
    """Shows how far a run is; a :class:`picojoule.training.Progress`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def start(self, what: str, total: int, done: int) -> None:
        """A part of the run begins: `total` steps, of which `done` are done already."""
        if not self._console.is_terminal:
            self._console.print(printable(what), highlight=False, markup=False, soft_wrap=True)
        self._task = self._bars.add_task(printable(what), total=total, completed=done, status="")

    def advance(self, status: str) -> None:
        """One of these steps is done."""
        assert self._task is not None
        self._bars.update(self._task, advance=1, status=status)

    def note(self, sentence: str) -> None:
        """Tell the user something at once, above the bar."""
        self._console.print(f"note: {printable(sentence)}", highlight=False, markup=False)

    def __enter__(self) -> ProgressBar:
        self._bars.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()
