"""Compiled kernels on disk: written and read in a folder that nobody else can write to, or not at all.

What is wrong with the folder costs time, not results: kernels then are compiled in memory, and that is said once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from picojoule.ops.cpu.trust import UntrustedError, check_mode, check_owner, check_way_to

# O_NONBLOCK: a pipe in the place of a file would have the process wait for a writer
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_faults: list[str] = []
_said: set[str] = set()


def cache_folder() -> Path | None:
    """Where compiled kernels are kept: PICOJOULE_CACHE, or the user's cache folder; None without a home."""
    chosen = os.environ.get("PICOJOULE_CACHE")
    try:
        folder = Path(chosen) if chosen else Path.home() / ".cache" / "picojoule"
        return folder.absolute()
    except (RuntimeError, OSError):
        return None


def kept(name: str) -> bytes | None:
    """What is in the cache under a name, if it is ours and whole: damaged code would take the process down."""
    try:
        with _opened() as folder:
            digest, _, content = _read(folder, name).partition(b"\n")
    except FileNotFoundError:
        return None
    except (UntrustedError, OSError) as error:
        _faults.append(_reason(error))
        return None
    return content if digest == _digest(content) else None


def keep(name: str, content: bytes) -> None:
    """Write to the cache if that is possible: other processes see the whole file or none.

    What is not ours stays where it is, for its owner or this user to look at.
    """
    try:
        _make_folder()
        with _opened() as folder:
            with suppress(FileNotFoundError):
                _read(folder, name)
            _write(folder, name, _digest(content) + b"\n" + content)
    except (UntrustedError, OSError) as error:
        _faults.append(_reason(error))


def folder_fault() -> str | None:
    """Why nothing is read from the cache; None if it is, or would be if it were there."""
    try:
        with _opened():
            return None
    except FileNotFoundError:
        return None
    except (UntrustedError, OSError) as error:
        return _reason(error)


def say_faults() -> None:
    """Warn of what kept a kernel from being read or written, once a folder."""
    folder, fault = str(cache_folder()), next(iter(_faults), None)
    _faults.clear()
    if fault is None or folder in _said:
        return
    warnings.warn(
        f"picojoule: compiled kernels are neither read from nor kept in the cache: {fault}. They are compiled in "
        "memory, a second each and anew in every process. PICOJOULE_CACHE names another folder; it, what is in "
        "it and the way there have to be yours (or root's), with no write permission for others and no "
        "symbolic link in its place. It is said once.",
        stacklevel=8,  # where the op is called
    )
    _said.add(folder)  # not before: where warnings are errors, the next call should say the same


@contextmanager
def _opened() -> Iterator[int]:
    """The folder, as a descriptor: what it is asked for then is what was looked at."""
    folder = cache_folder()
    if folder is None:
        raise UntrustedError("there is no home folder")
    if not hasattr(os, "geteuid"):
        raise UntrustedError("this system does not tell who owns a file")
    check_way_to(folder.parent)
    if folder.is_symlink():
        raise UntrustedError(f"{folder} is a symbolic link")
    descriptor = os.open(folder, _FOLDER)
    try:
        found = os.fstat(descriptor)
        check_owner(folder, found)
        check_mode(folder, found)
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder() -> None:
    folder = cache_folder()
    for path in () if folder is None else (*reversed(folder.parents), folder):
        if not os.path.lexists(path):
            check_way_to(path.parent)
            with suppress(FileExistsError):  # by another process
                path.mkdir(mode=0o700)


def _read(folder: int, name: str) -> bytes:
    path = Path(str(cache_folder()), name)
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise UntrustedError(f"{path} is a symbolic link")
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedError(f"{path} is not a file")
        check_owner(path, found)
        check_mode(path, found)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _write(folder: int, name: str, content: bytes) -> None:
    aside = f".{secrets.token_hex(8)}.partial"
    descriptor = os.open(aside, _NEW, mode=0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside, dir_fd=folder)
        raise


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{cache_folder()} cannot be used ({error.strerror or error})"
    return str(error)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
