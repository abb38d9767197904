"""What the outputs on the pages come from: the library, result files, scripts. If one changes, all pages run again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

_SOURCES = (
    "src/picojoule/**/*.py",
    "benchmarks/results/*.json",
    "docs/migration/scripts/*.py",
)
_LENGTH = 16


def digest_of(root: Path) -> str:
    """Of all files that a page may show something of."""
    found = hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(root.glob(pattern)):
            found.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:_LENGTH]


def kept_outputs(folder: Path, root: Path) -> Path:
    """The folder in `folder` for outputs of these sources; those of others are removed."""
    own = folder / digest_of(root)
    for other in folder.iterdir() if folder.exists() else ():
        if other != own:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    return own
