"""Names that a user gives, held against those that the model has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def check_names(names: Iterable[str], known: Sequence[str], kind: str, owner: str) -> None:
    """Raise ValueError for the first name that is not known, with the nearest that is.

    Example:
        >>> check_names(["fc2"], ["fc1", "out"], "layer", "Budget")
        Traceback (most recent call last):
        ValueError: Budget: the model has no layer 'fc2'. Did you mean 'fc1'?
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{owner}: the model has no {kind} {name!r}.{hint}")
