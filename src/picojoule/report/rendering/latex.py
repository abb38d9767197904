"""LaTeX, with the rules of booktabs."""

from __future__ import annotations

from picojoule.report.document import Document, Table
from picojoule.report.rendering.words import one_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"{\char34}",  # \textquotedbl is in no default font
    "[": "{[}",  # after the end of a row, an argument of it; so is a star
    "*": "{*}",
    "\N{MICRO SIGN}": r"\textmu{}",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}


def latex(document: Document) -> str:
    """A `table` for each table; warnings and notes as comments for the writer, above and below."""
    tables = [_table(table) for table in document.tables]
    needs = [r"% needs \usepackage{booktabs}"]
    if not all(table.isascii() for table in tables):
        needs.append(
            "% has letters beyond ASCII: compile it with LuaLaTeX or XeLaTeX, and a font that has them"
        )
    warnings = [f"% Warning: {one_line(warning)}" for warning in document.warnings]
    notes = [f"% {one_line(note)}" for note in document.notes]
    return "\n".join([*needs, *warnings, *tables, *notes]) + "\n"


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
    shown = "".join(_SPECIAL.get(letter, letter) for letter in one_line(words))
    return shown.replace("--", "-{}-").replace("--", "-{}-")  # else one long dash
