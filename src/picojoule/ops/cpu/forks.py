"""What a fork must not tear apart: code that is being made, and whose threads there are.

A forked process has the memory of its parent and one thread. A lock that another thread held stays locked for
ever, a module that another thread was importing stays half imported, and OpenMP's threads are gone. Imported
with the package, since what was registered after a fork does not know of it.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

# held while kernels are imported, compiled or loaded; a fork waits for whoever holds it
making = threading.RLock()
_held: list[Any] = []  # numba's lock, of the fork under way


def was_forked() -> bool:
    """Whether this process was forked off one that may have used OpenMP."""
    return _forked


def _imported_in_a_fork() -> bool:
    """Whether multiprocessing forked this process before the package was imported."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None or multiprocessing.parent_process() is None:
        return False
    own = getattr(multiprocessing.current_process(), "_start_method", None)
    return bool((own or multiprocessing.get_start_method(allow_none=True)) == "fork")


_forked = _imported_in_a_fork()


def _note_fork() -> None:
    global _forked
    _forked = True
    _release()


def _acquire() -> None:
    making.acquire()
    numba = sys.modules.get("numba.core.compiler_lock")
    _held.append(getattr(numba, "global_compiler_lock", None))  # other threads' own numba functions
    if _held[-1] is not None:
        _held[-1].acquire()


def _release() -> None:
    compiler = _held.pop()
    if compiler is not None:
        compiler.release()
    making.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_note_fork)
