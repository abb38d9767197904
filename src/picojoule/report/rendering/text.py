"""Plain text, columns aligned."""

from __future__ import annotations

from picojoule.report.document import Document, Table


def text(document: Document) -> str:
    """Titles, tables with rules, and the notes below."""
    parts = [_table(table) for table in document.tables]
    if document.notes:
        parts.append("\n".join(document.notes))
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    body = [table.headings, *table.rows, *([table.total] if table.total else [])]
    cells = [[_one_line(cell) for cell in row] for row in body]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column < table.words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines.insert(1, rule)
    if table.total:
        lines.insert(-1, rule)
    return "\n".join([table.title, *lines])


def _one_line(cell: str) -> str:
    """Names come from the user's code; a line break in one would break the table."""
    return "".join(letter if letter.isprintable() else " " for letter in cell)
