"""Where a report goes and in which form: told by options, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import typer

from picojoule.atomic_write import write_atomically
from picojoule.report.document import Document
from picojoule.report.rendering import html, latex, markdown, text


class Format(StrEnum):
    """How the report is written."""

    table = "table"
    json = "json"
    latex = "latex"
    html = "html"
    markdown = "markdown"


_SUFFIXES = {
    ".json": Format.json,
    ".tex": Format.latex,
    ".html": Format.html,
    ".htm": Format.html,
    ".md": Format.markdown,
}


def chosen_format(form: Format | None, output: Path | None) -> Format:
    """The form that is asked for, or that the file's ending names; a table by default.

    Raises:
        OSError: the file cannot be written.
        ValueError: its ending names no form.

    Example:
        >>> chosen_format(None, Path("report.md")).value
        'markdown'
    """
    chosen = form or _by_ending(output)
    if output is not None:
        _check_writable(output, "--output")
    return chosen


def _by_ending(output: Path | None) -> Format:
    if output is None or output.suffix.lower() in ("", ".txt"):
        return Format.table
    chosen = _SUFFIXES.get(output.suffix.lower())
    if chosen is None:
        raise ValueError(
            f"--output is {str(output)!r}, whose ending names no format; give --format, or one of .txt, "
            f"{', '.join(_SUFFIXES)}."
        )
    return chosen


def check_picture(picture: Path) -> None:
    """Before anything runs: a picture that cannot be written is an error.

    Raises:
        OSError: there is no such folder.
        ValueError: the name is not that of a PNG.
    """
    if picture.suffix.lower() != ".png":
        raise ValueError(f"--picture is {str(picture)!r}, expected a name that ends in .png.")
    _check_writable(picture, "--picture")


def _check_writable(output: Path, option: str) -> None:
    if output.is_dir():
        raise IsADirectoryError(f"{option} is {str(output)!r}, a folder; name a file in it.")
    if not output.parent.is_dir():
        raise FileNotFoundError(
            f"{option} is {str(output)!r}, but there is no folder {output.parent}. Make it first: mkdir -p {output.parent}"
        )


def rendered(written: Document, form: Format, pictures: Mapping[str, bytes] | None = None) -> str:
    r"""A document in a form; JSON is made of more.

    Args:
        written: the words.
        form: which.
        pictures: of a page; None for none.

    Example:
        >>> from picojoule.report.document import Table
        >>> rows = (("spikes", "3"),)
        >>> rendered(Document((Table("Events", ("what", "number"), 1, rows),)), Format.table)
        'Events\nwhat    number\n--------------\nspikes       3'
    """
    if form == Format.html:
        return html(written, pictures)
    return {Format.table: text, Format.markdown: markdown, Format.latex: latex}[form](written)


def print_or_write(written: str, output: Path | None) -> None:
    """A report on stdout, or in a file, which is told on stderr."""
    content = written.rstrip("\n") + "\n"
    if output is None:
        typer.echo(content, nl=False)
    else:
        _write(output, content.encode())
        typer.echo(f"Written to {output}.", err=True)


def _write(output: Path, content: bytes) -> None:
    """Atomically; but a link, a device or a pipe, such as /dev/stdout, is written into and not replaced."""
    if output.is_symlink() or (output.exists() and not output.is_file()):
        output.write_bytes(content)
    else:
        write_atomically(output, content)
