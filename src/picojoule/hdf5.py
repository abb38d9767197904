"""HDF5 files by strangers: what a file declares is checked before any of it is read.

A file of a kilobyte can name other files to read (external storage, links, virtual data sets) and can
declare gigabytes (compression, fill values). The HDF5 library trusts the heaps that hold strings, and loops
for ever where one leads nowhere. Readers call :func:`refuse_foreign_storage` first.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FLOOR_BYTES = 256 * 2**20
_TIMES_ITS_SIZE = 16
_DEEPEST = 64
_HEAP = b"GCOL\x01\0\0\0"


def size_limit(path: str | Path) -> int:
    """Bytes that a file may unfold to: 16 times its own size, and 256 MiB in any case."""
    return max(_FLOOR_BYTES, _TIMES_ITS_SIZE * Path(path).stat().st_size)


def refuse_foreign_storage(file: Any, limit: int | None = None) -> None:
    """Raise unless everything in the file is stored in it, once, and no larger than the limit.

    Only headers and the frame of the heaps are read, no data. Elements of variable length (strings, ragged arrays) count 8 bytes
    each: each is at most as long as the file, so read them one by one where there are many.

    Args:
        file: an open `h5py.File`.
        limit: bytes that all its data sets may declare together; `size_limit` of the file if omitted.

    Raises:
        ValueError: a link leads elsewhere, a data set lies in other files, the declared sizes exceed
            the limit, groups contain one another, or a header or heap is damaged. The message names the file
            and the place in it.
    """
    limit = size_limit(file.filename) if limit is None else limit
    _check_heaps(file)
    declared = 0
    for place, part in _parts(file):
        if not hasattr(part, "dtype"):
            continue
        try:
            elsewhere = part.is_virtual or part.external
            declared += int(part.size or 0) * part.dtype.itemsize
        except Exception as error:  # h5py raises what it likes on damaged headers
            raise _damaged(file, place, error) from error
        if elsewhere:
            raise _refusal(file, place, "keeps its data in other files", "Store them in this file.")
        if declared > limit:
            raise _refusal(
                file,
                place,
                f"brings the declared size to {declared:,} bytes, and the file may unfold to {limit:,}",
                "Store the data without compression if they are really that large.",
            )


def _check_heaps(file: Any) -> None:
    """Follow each heap from object to object, as the library will: every step must lead on, and stay inside."""
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise _refusal(file, "/", "has addresses or lengths that are not 8 bytes", "Write it anew.")
    path = Path(file.filename)
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_HEAP)
        while start >= 0:
            (size,) = struct.unpack_from("<Q", data[start + 8 : start + 16].ljust(8, b"\0"))
            end, place = start + size, start + 16
            while end - place >= 16:
                index, length = struct.unpack_from(
                    "<H6xQ", data[place : place + 16].ljust(16, b"\0")
                )
                step = (
                    16 + (length + 7) // 8 * 8 if index else length
                )  # free space counts its header
                if step < 16 or place + step > end or end > len(data):
                    raise _refusal(file, "/", "has a damaged heap of strings", "Fetch it again.")
                place += step
            start = data.find(_HEAP, max(end, start + 1))


def _parts(file: Any) -> Iterator[tuple[str, Any]]:
    """Every group and data set below the root, with its place; no link is followed."""
    waiting = [("", file)]
    seen = {_address(file, "/", file)}
    while waiting:
        where, group = waiting.pop()
        for name, part in _members(file, where, group):
            place = f"{where}/{name}"
            if hasattr(part, "keys"):
                address = _address(file, place, part)
                if address in seen:
                    raise _refusal(
                        file, place, "is a group that has another place too", "Store it once."
                    )
                if place.count("/") > _DEEPEST:
                    raise _refusal(
                        file, place, f"lies deeper than {_DEEPEST} groups", "Flatten it."
                    )
                seen.add(address)
                waiting.append((place, part))
            yield place, part


def _members(file: Any, where: str, group: Any) -> Iterator[tuple[str, Any]]:
    try:
        names = list(group)
    except Exception as error:
        raise _damaged(file, where or "/", error) from error
    for name in names:
        place = f"{where}/{name}"
        try:
            kind = type(group.get(name, getlink=True)).__name__
            part = group[name] if kind == "HardLink" else None
        except Exception as error:
            raise _damaged(file, place, error) from error
        if part is None:
            raise _refusal(
                file, place, f"is a link ({kind}) to another place", "Store the data here."
            )
        yield name, part


def _address(file: Any, place: str, group: Any) -> object:
    from h5py import h5o  # whoever has an open file has h5py

    try:
        return h5o.get_info(group.id).addr
    except Exception as error:
        raise _damaged(file, place, error) from error


def _refusal(file: Any, place: str, fault: str, advice: str) -> ValueError:
    return ValueError(f"{file.filename}: {place!r} {fault}, which is not read. {advice}")


def _damaged(file: Any, place: str, error: Exception) -> ValueError:
    return ValueError(f"{file.filename}: {place!r} is damaged ({error}); fetch the file again.")
