"""One process at a time in a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".lock"


class TakenError(BlockingIOError):
    """Another process works in the folder."""


@contextmanager
def only_process(folder: Path, taken: str) -> Iterator[None]:
    """A lock that the operating system releases however the process ends.

    Args:
        folder: it is in there, an empty file.
        taken: what to say where another process has it.

    Raises:
        TakenError: another process has it.
        FileExistsError: something else has its name, such as a symbolic link; it is left alone.
    """
    try:
        import fcntl
    except ImportError:  # Windows: nothing like it in the standard library
        yield
        return
    with os.fdopen(_opened(folder / _LOCK)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TakenError(error.errno, taken) from error
        yield


def _opened(path: Path) -> int:
    # neither emptied nor waited for (a pipe), whatever it is
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        opened = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        raise _no_file_of_ours(path) from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _no_file_of_ours(path)
    return opened


def _no_file_of_ours(path: Path) -> FileExistsError:
    return FileExistsError(
        f"{path} is no file of ours but a link or something else; remove it, or choose another folder."
    )
