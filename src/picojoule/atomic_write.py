"""Files that are either the old or the new one, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

_PARTIAL = "partial"
# a name that nobody can have prepared, and no link is followed: nothing but our own file is written to
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)  # Windows
_CANNOT_SYNC_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write aside, flush to the disk, rename over `path`, and flush the folder.

    A symbolic link at `path` is replaced; what it points to stays as it is.

    Raises:
        OSError: the disk is full, or another reason not to write; the old file is still there.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{_PARTIAL}")
    try:
        try:
            with os.fdopen(os.open(aside, _NEW | _BINARY, 0o666), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink()
            raise
    except OSError as error:
        kept = " The previous one is kept." if path.exists() else ""
        raise OSError(
            error.errno,
            f"could not write {path.name} ({len(content) / 1e6:.1f} MB): {error.strerror}.{kept}",
            str(path),
        ) from error
    _sync(path.parent)


def write_json(path: str | Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder; nobody may write in there now."""
    for partial in folder.glob(f".*.{_PARTIAL}"):
        partial.unlink()


def _sync(folder: Path) -> None:
    """The new name shall outlast a power cut, as the content does; some file systems cannot promise it."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder to write into, but not to look at
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(opened)
