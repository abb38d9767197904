"""Several hooks removed as one."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Removable(Protocol):
    """Anything that `remove()` undoes, as torch's hook handles."""

    def remove(self) -> None:
        """Undo it."""


class HookHandles:
    """The handles of hooks that belong together; `remove()` takes them all off, once.

    Also a context manager that removes them on leaving.
    """

    def __init__(self) -> None:
        self._handles: list[Removable] = []

    def add(self, handle: Removable) -> None:
        """Take over one more handle."""
        self._handles.append(handle)

    def remove(self) -> None:
        """Remove every hook; calling it again does nothing."""
        while self._handles:
            self._handles.pop().remove()

    def __enter__(self) -> HookHandles:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()
