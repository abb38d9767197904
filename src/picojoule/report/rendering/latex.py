"""LaTeX, with the rules of booktabs, as wide as the line that it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from picojoule.report.document import Document, Table
from picojoule.report.rendering.words import one_line, width

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
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}

_BREAK, _RATHER_NOT = r"\allowbreak{}", r"\penalty500{}"
_LONG = 12  # letters of a word that may be broken in a cell
_LONG_IN_TEXT = 24  # the same in notes and captions
_PIECE = 6  # letters between two places where it may be
_HEADING = 8  # letters in a line of a heading, where there is a place to break it
_LONGEST_HEADING = 16  # the same, where there is none

# by the text of an article of 10 pt, in letters of \footnotesize, and lines below each other
_ACROSS, _DOWN = 76, 44
_GAP = 2  # letters between columns
_LEAST = 8  # letters across that a wrapped column has
_NOTE = 85  # letters across of a note

# words wrap and are not hyphenated: a hyphen would look like one of a layer's name
_WRAPPED = r">{\raggedright\hyphenpenalty=10000\arraybackslash}X"


def latex(document: Document) -> str:
    """A `table` for each table, or several where it is long, with its notes below it; warnings below the first.

    Warnings are comments for the writer, too, above all.
    """
    first, *others = document.tables
    warned = tuple(f"Warning: {warning}" for warning in document.warnings)
    tables = [replace(first, notes=(*warned, *first.notes)), *others]
    written = [_table(part) for table in tables for part in _on_pages(table)]
    needs = [
        r"% needs \usepackage{booktabs} and \usepackage{tabularx}; as wide as the line, so in two columns rather table*"
    ]
    if not all(table.isascii() for table in written):
        needs.append(
            "% has letters beyond ASCII: compile it with LuaLaTeX or XeLaTeX, and a font that has them"
        )
    warnings = [f"% Warning: {one_line(warning)}" for warning in document.warnings]
    return "\n".join([*needs, *warnings, *written]) + "\n"


def _on_pages(table: Table) -> Iterator[Table]:
    """The table, or parts of it that fit on a page each; the last one has the total and the notes."""
    letters = _letters_across(table)
    below = 2 + sum(1 + width(note) // _NOTE for note in table.notes)
    parts: list[list[tuple[str, ...]]] = [[]]
    lines = 0
    for row in table.rows:
        needed = 1 + max((width(cell) // letters for cell in row[: table.words]), default=0)
        if parts[-1] and lines + needed > _DOWN:
            parts.append([])
            lines = 0
        parts[-1].append(row)
        lines += needed
    if parts[-1] and lines + below > max(_DOWN, below):
        parts.append([])
    for number, rows in enumerate(parts, 1):
        last = number == len(parts)
        yield replace(
            table,
            title=table.title if len(parts) == 1 else f"{table.title} ({number} of {len(parts)})",
            rows=tuple(rows),
            total=table.total if last else None,
            notes=table.notes if last else (),
        )


def _letters_across(table: Table) -> int:
    """About how many letters a line of a wrapped cell has."""
    wraps = _wraps(table)
    fixed = [size for k, size in enumerate(_widest(table)) if not (k < table.words and wraps[k])]
    return max((_ACROSS - sum(fixed) - _GAP * len(table.headings)) // max(sum(wraps), 1), _LEAST)


def _widest(table: Table) -> list[int]:
    """Letters of the longest cell of each column."""
    rows = [row for row in (*table.rows, table.total) if row]
    return [max((width(row[k]) for row in rows), default=0) for k in range(len(table.headings))]


def _wraps(table: Table) -> list[bool]:
    """Of each column of words: the first takes the width that is left, and so do others that are long."""
    return [k == 0 or letters > _LONG for k, letters in enumerate(_widest(table)[: table.words])]


def _table(table: Table) -> str:
    rows = [_line(row, table.words) for row in table.rows]
    lines = [_headings(table), r"\midrule", *rows]
    if table.total:
        lines += [r"\midrule", _line(table.total, table.words)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{_escaped(table.title, _LONG_IN_TEXT)}}}",
            rf"\begin{{tabularx}}{{\linewidth}}{{@{{}}{_columns(table)}@{{}}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabularx}",
            *_notes(table.notes),
            r"\end{table}",
        ]
    )


def _columns(table: Table) -> str:
    words = [_WRAPPED if wraps else "l" for wraps in _wraps(table)]
    return "".join([*words, *"r" * (len(table.headings) - table.words)])


def _headings(table: Table) -> str:
    """Those of numbers in several lines, if they are long: a number is short."""
    words = [_escaped(heading) for heading in table.headings[: table.words]]
    numbers = [_stacked(heading) for heading in table.headings[table.words :]]
    return " & ".join([*words, *numbers]) + r" \\"


def _stacked(heading: str) -> str:
    """A heading in short lines, cut behind a slash and before a space or plus, if there is one."""
    most = _LONGEST_HEADING
    words = re.split(r"(?<=/)|(?<!±)(?=[ +])", one_line(heading))
    pieces = [word[k : k + most] for word in words for k in range(0, len(word), most)]
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) > _HEADING:
            lines.append("")
        lines[-1] += piece
    stacked = [_escaped(line.strip()) for line in lines]
    if len(stacked) == 1:
        return stacked[0]
    return r"\begin{tabular}[b]{@{}r@{}}" + r"\\".join(stacked) + r"\end{tabular}"


def _notes(notes: tuple[str, ...]) -> list[str]:
    if not notes:
        return []
    return [
        r"\par\medskip",
        r"\begin{minipage}{\linewidth}\raggedright\scriptsize",
        *(rf"{_escaped(note, _LONG_IN_TEXT)}\par" for note in notes),
        r"\end{minipage}",
    ]


def _line(cells: tuple[str, ...], words: int) -> str:
    shown = [
        _escaped(cell) if k < words else _printed(one_line(cell)) for k, cell in enumerate(cells)
    ]
    return " & ".join(shown) + r" \\"


def _escaped(words: str, most: int = _LONG) -> str:
    r"""Words as LaTeX prints them; one of more letters may be broken into lines, without a hyphen.

    Example:
        >>> print(_escaped("a_b & 50% block.attention"))
        a\_b \& 50\% block.\allowbreak{}attent\penalty500{}ion
    """
    return re.sub(r"\S+", lambda word: _breakable(word[0], most), one_line(words))


def _breakable(word: str, most: int) -> str:
    """A long word may end a line behind a mark, such as a dot; or else behind a few letters."""
    if width(word) <= most:
        return _printed(word)
    pieces = re.findall(r"[^\W_]+[\W_]?|[\W_]", word)
    return _BREAK.join(map(_in_parts, pieces))


def _in_parts(piece: str) -> str:
    parts = [piece[k : k + _PIECE] for k in range(0, len(piece), _PIECE)]
    if len(parts) > 1 and len(parts[-1]) == 1:  # a mark goes with what it ends
        parts[-2:] = ["".join(parts[-2:])]
    return _RATHER_NOT.join(map(_printed, parts))


def _printed(part: str) -> str:
    shown = "".join(_SPECIAL.get(letter, letter) for letter in part)
    return shown.replace("--", "-{}-").replace("--", "-{}-")  # else one long dash
