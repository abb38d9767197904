"""HTML, one page without other files."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape

from picojoule.report.document import Document, Table
from picojoule.report.rendering.words import one_line

# names wrap anywhere and numbers never; what is wider than the window, even so, scrolls by itself
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:68em;margin:2em auto;padding:0 1em;overflow-wrap:break-word}"
    "div{overflow-x:auto;margin:0 0 2em}"
    "table{border-collapse:collapse}caption{text-align:left;font-weight:600}"
    "th,td{padding:.2em .8em;text-align:left;vertical-align:top;min-width:4em}"
    "th{vertical-align:bottom;overflow-wrap:normal}td:first-child{min-width:9em;overflow-wrap:anywhere}"
    "thead,tfoot{border-top:1px solid;border-bottom:1px solid}"
    "img{max-width:100%}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}"
)

_PLACES = re.compile(r"(?<=/)|(?=\+)")  # where a heading may be broken


def html(document: Document, pictures: Mapping[str, bytes] | None = None) -> str:
    """A page with the warnings, the tables, the pictures, and the notes as paragraphs.

    Args:
        document: the words.
        pictures: PNGs by what is said where they cannot be shown.
    """
    title = _escaped(document.tables[0].title)
    warnings = "".join(
        f"<p><strong>Warning:</strong> {_escaped(warning)}</p>\n" for warning in document.warnings
    )
    tables = "\n".join(_table(table) for table in document.tables)
    for words, png in (pictures or {}).items():
        data = b64encode(png).decode()
        tables += f'\n<p><img alt="{_escaped(words)}" src="data:image/png;base64,{data}"></p>'
    notes = "\n".join(f"<p>{_escaped(note)}</p>" for note in document.notes)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n{warnings}{tables}\n{notes}\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    head = _row(table, table.headings, "th")
    body = "\n".join(_row(table, row, "td") for row in table.rows)
    foot = f"\n<tfoot>{_row(table, table.total, 'td')}</tfoot>" if table.total else ""
    return (
        f"<div><table>\n<caption>{_escaped(table.title)}</caption>\n<thead>{head}</thead>\n"
        f"<tbody>\n{body}\n</tbody>{foot}\n</table></div>"
    )


def _row(table: Table, cells: tuple[str, ...], tag: str) -> str:
    opened = [f"<{tag}>" if i < table.words else f'<{tag} class="n">' for i in range(len(cells))]
    shown = [_escaped(cell) for cell in cells]
    if tag == "th":
        shown = [_PLACES.sub("<wbr>", cell) for cell in shown]
    inside = (f"{o}{cell}</{tag}>" for o, cell in zip(opened, shown, strict=True))
    return f"<tr>{''.join(inside)}</tr>"


def _escaped(words: str) -> str:
    return escape(one_line(words))
