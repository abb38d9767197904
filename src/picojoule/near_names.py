"""The known names that are most like a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(
    name: object, known: Iterable[str], *, otherwise: str = "", however_far: bool = False
) -> str:
    """The end of an error message about a name that is not known, with the space before it.

    Args:
        name: what was given.
        known: what could have been meant.
        otherwise: what to say where nothing is like it.
        however_far: name the nearest, however little it is like it.

    Example:
        >>> did_you_mean("epoch", ["epochs", "seed"]), did_you_mean("7", ["4"], however_far=True)
        (" Did you mean 'epochs'?", " Did you mean '4'?")
        >>> did_you_mean("energy", ["epochs", "seed"], otherwise=" There are epochs, seed.")
        ' There are epochs, seed.'
    """
    near = nearest(str(name), known, cutoff=0.0 if however_far else 0.6)
    return f" Did you mean {near[0]!r}?" if near else otherwise


def nearest(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names most like this one, best first.

    Args:
        name: what was given.
        known: what could have been meant.
        most: how many at most.
        cutoff: how much alike they have to be, from 0 to 1.
    """
    return difflib.get_close_matches(name, list(known), n=most, cutoff=cutoff)
