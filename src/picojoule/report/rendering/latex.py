"""LaTeX, with the rules of booktabs."""

from __future__ import annotations

from picojoule.report.document import Document, Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\N{MICRO SIGN}": r"\textmu{}",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}


def latex(document: Document) -> str:
    """A `table` for each table, and the notes as comments for the writer."""
    parts = [_table(table) for table in document.tables]
    notes = [f"% {' '.join(note.split())}" for note in document.notes]
    return "\n".join(["% needs \\usepackage{booktabs}", *parts, *notes]) + "\n"


def _table(table: Table) -> str:
    columns = "l" * table.words + "r" * (len(table.headings) - table.words)
    lines = [_line(table.headings), r"\midrule", *map(_line, table.rows)]
    if table.total:
        lines += [r"\midrule", _line(table.total)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escaped(table.title)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(words: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(words.split()))
