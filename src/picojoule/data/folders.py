"""The files of a folder that are part of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def visible_files(folder: Path, pattern: str) -> Iterator[Path]:
    """Files below a folder that fit a pattern, less the hidden ones.

    A name that begins with a dot, of a file or of a folder on the way, is hidden: `._00002.bin` holds
    what macOS notes about `00002.bin`, and ends as a recording does.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> for name in ("a.bin", "._a.bin"):
        ...     (folder / name).touch()
        >>> [path.name for path in visible_files(folder, "*.bin")]
        ['a.bin']
    """
    for path in folder.glob(pattern):
        on_the_way = path.relative_to(folder).parts
        if not any(part.startswith(".") for part in on_the_way) and path.is_file():
            yield path
