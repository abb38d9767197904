"""Files that are either the old or the new one, whatever happens while they are written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Write aside, flush to the disk, then rename over `path`.

    Raises:
        OSError: the disk is full, or another reason not to write; the old file is still there.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        kept = " The previous one is kept." if path.exists() else ""
        raise OSError(
            error.errno,
            f"could not write {path.name} ({len(content) / 1e6:.1f} MB): {error.strerror}.{kept} Make room "
            "and go on with --resume",
            str(path),
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())
