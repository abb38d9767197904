"""Markdown, as GitHub reads it."""

from __future__ import annotations

import re

from picojoule.report.document import Document, Table
from picojoule.report.rendering.words import one_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def markdown(document: Document) -> str:
    """Warnings, titles in bold, tables, and the notes as paragraphs."""
    parts = [f"**Warning:** {_escaped(warning)}" for warning in document.warnings]
    parts += [_table(table) for table in document.tables]
    parts += [_escaped(note) for note in document.notes]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    sides = ["---" if column < table.words else "---:" for column in range(len(table.headings))]
    rows = [[_escaped(cell) for cell in row] for row in (table.headings, *table.rows)]
    rows.insert(1, sides)
    if table.total:
        rows.append([f"**{_escaped(cell)}**" if cell else "" for cell in table.total])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([f"**{_escaped(table.title)}**", "", *lines])


def _escaped(words: str) -> str:
    return _SPECIAL.sub(r"\\\1", one_line(words))
