"""Words that others chose, such as names of layers, so that no renderer is broken by them."""

from __future__ import annotations

import unicodedata

from picojoule.printable import escaped

_WIDE = ("W", "F")


def one_line(words: str) -> str:
    r"""Words with line breaks and control characters shown as Python writes them.

    Example:
        >>> print(one_line("conv\x1b[31m\n1"))
        conv\x1b[31m\n1
    """
    return "".join(c if c.isprintable() else escaped(c) for c in words)


def width(words: str) -> int:
    """Columns that words take in a terminal: two of a wide letter, none of an accent that joins the one before.

    Example:
        >>> width("conv"), width("\u5c42"), width("e\u0301")
        (4, 2, 1)
    """
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in _WIDE)
        for c in words
    )
