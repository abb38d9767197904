"""The names of layers in tables."""

from __future__ import annotations

import re

from rich.text import Text

from picojoule.printable import escaped, printable

_NUMBERS = re.compile(r"[\d.]*")


def layer_name(name: str, kind: str = "") -> Text:
    """A layer in a table: by its name as it is, and by its type where the name is a mere number.

    Example:
        >>> layer_name("7", "Conv2d"), layer_name("head.[b]mix", "Linear"), layer_name("", "LIF")
        (<text '7 Conv2d' [] ''>, <text 'head.[b]mix' [] ''>, <text '(model) LIF' [] ''>)
    """
    shown = printable(name or "(model)").replace("\n", escaped("\n"))
    if kind and _NUMBERS.fullmatch(name):
        shown = f"{shown} {printable(kind)}"
    return Text(shown, overflow="fold")
