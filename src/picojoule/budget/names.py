"""Names that a user gives, held against those that the model has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from picojoule.near_names import did_you_mean


def check_names(names: Iterable[str], known: Sequence[str], kind: str, owner: str) -> None:
    """Raise ValueError for the first name that is not known, with the nearest that is.

    Example:
        >>> check_names(["fc2"], ["fc1", "out"], "layer", "Budget")
        Traceback (most recent call last):
        ValueError: Budget: the model has no layer 'fc2'. Did you mean 'fc1'?
    """
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, however_far=True)
            raise ValueError(f"{owner}: the model has no {kind} {name!r}.{hint}")
