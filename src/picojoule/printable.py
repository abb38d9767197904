"""What others have named, as it can be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A text whose control characters are shown, not obeyed; line breaks stay.

    Example:
        >>> print(printable("conv\x1b[31m\n1"))
        conv\x1b[31m
        1
    """
    return "".join(c if c.isprintable() or c == "\n" else escaped(c) for c in text)


def escaped(text: str) -> str:
    r"""The characters as Python writes them, such as `\n`."""
    return text.encode("unicode_escape").decode()
