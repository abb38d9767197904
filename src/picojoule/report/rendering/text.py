"""Plain text, columns aligned."""

from __future__ import annotations

from picojoule.report.document import Document, Table
from picojoule.report.rendering.words import one_line, width


def text(document: Document) -> str:
    """Warnings, titles, tables with rules, and the notes below."""
    parts = [f"Warning: {one_line(warning)}" for warning in document.warnings]
    parts += [_table(table) for table in document.tables]
    if document.notes:
        parts.append("\n".join(map(one_line, document.notes)))
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    body = [table.headings, *table.rows, *([table.total] if table.total else [])]
    cells = [[one_line(cell) for cell in row] for row in body]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            _padded(cell, columns, left=number < table.words)
            for number, (cell, columns) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines.insert(1, rule)
    if table.total:
        lines.insert(-1, rule)
    return "\n".join([one_line(table.title), *lines])


def _padded(cell: str, columns: int, *, left: bool) -> str:
    room = " " * (columns - width(cell))
    return cell + room if left else room + cell
