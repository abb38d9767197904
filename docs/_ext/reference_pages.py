"""Which public names the pages of the reference list; needs no Sphinx."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

API = Path(__file__).parents[2] / "tests" / "api.txt"  # a test holds it against the code
_ENTRY = re.compile(r"(?: {3}|\.\. py:data:: )(\w+)$")  # a line of an autosummary, or data by hand


def listed(reference: Path) -> set[str]:
    """The names in the tables of the reference's pages, and their modules."""
    names: set[str] = set()
    for page in reference.glob("*.md"):
        current = ""
        for line in page.read_text().splitlines():
            if found := re.match(r"\.\. (?:auto|current)module:: (\S+)", line):
                current = found[1]
                names |= {current} - {"picojoule"}
            elif current and (entry := _ENTRY.match(line)):
                names.add(f"{current}.{entry[1]}")
    return names


def missing(reference: Path) -> list[str]:
    """Public names that no page lists, neither there nor where else they are public."""
    pages = listed(reference)
    values = {id(value_of(name)) for name in pages}
    return [name for name in public() if name not in pages and id(value_of(name)) not in values]


def public() -> list[str]:
    """All public names, with their modules."""
    return [name for name in API.read_text().split() if name != "picojoule.__version__"]


def value_of(path: str) -> object:
    """What stands at a path."""
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)
