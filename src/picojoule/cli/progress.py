"""A progress bar on a terminal; elsewhere a line for each part of a run."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any

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
from picojoule.synops import MonitorWarning


class ProgressBar:
    """Shows how far a run is; a :class:`picojoule.training.Progress`.

    While it does, what the Monitor warns of comes as a note, without the line of code.
    """

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
        self._show: Any = None  # how warnings are shown elsewhere

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

    def _note_warning(
        self, message: Warning | str, category: type[Warning], *place: Any, **more: Any
    ) -> None:
        if not issubclass(category, MonitorWarning):
            self._show(message, category, *place, **more)
            return
        sentence = str(message).removeprefix("Monitor: ")  # no command that trains has its options
        self.note(sentence.replace(" Pass ", " In Python, picojoule.Monitor takes "))

    def __enter__(self) -> ProgressBar:
        self._show, warnings.showwarning = warnings.showwarning, self._note_warning
        self._bars.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()
        warnings.showwarning = self._show
