"""Docstrings as they are written here, for reStructuredText: blocks by indentation, Markdown's tables, bare bars.

A docstring sets equations and code apart by four spaces more and an empty line; reStructuredText wants a directive before
them. Its tables are Markdown's; a bar is a magnitude, not a substitution.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"(`+[^`]*`+)")
_RULE = re.compile(r"\s*\|[-|: ]+\|$")


def translated(lines: list[str]) -> list[str]:
    """The docstring's lines, as reStructuredText has them; sections (`Args:`) are napoleon's."""
    out: list[str] = []
    outer = 0  # where the running text begins
    inside: int | None = None  # where a block begins
    for number, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and depth < inside:
            inside = None
        if inside is None and line.strip():
            if number and not lines[number - 1].strip() and depth >= outer + 4:
                out += ["", " " * outer + ".. code-block:: text", ""]
                inside = depth
            else:
                outer = depth
        out.append(line if inside is not None or line.lstrip().startswith("|") else _bare(line))
    return _tables(out)


def _bare(line: str) -> str:
    """A line of prose with its bars and stars as such; code stays."""
    if ">>>" in line:
        return line
    parts = _CODE.split(line.replace("*args, **kwargs", r"\*args, \*\*kwargs"))
    return "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def _tables(lines: list[str]) -> list[str]:
    out: list[str] = []
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("|"):
            out.append(line)
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        if _RULE.fullmatch(line):
            continue
        if number + 1 < len(lines) and _RULE.fullmatch(lines[number + 1]):
            head = any(_cells(line))
            out += ["", f"{indent}.. list-table::", *([f"{indent}   :header-rows: 1"] * head), ""]
        for column, cell in enumerate(_cells(line)):
            out.append(f"{indent}   {'*' if column == 0 else ' '} - {_bare(cell)}")
        if number + 1 == len(lines) or not lines[number + 1].lstrip().startswith("|"):
            out.append("")
    return out


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _translate(
    app: Sphinx, what: str, name: str, docstring_of: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = translated(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Before napoleon, which takes the sections apart (priority 500)."""
    app.connect("autodoc-process-docstring", _translate, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
