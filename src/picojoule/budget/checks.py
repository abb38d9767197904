"""Options of a Budget that are of no use, before anything is made of them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

_OPTIONAL = "groups", "split_range"


def check_kinds(**options: tuple[Any, type]) -> None:
    """Raise TypeError for an option that is of another kind, such as one constraint in place of a list."""
    for name, (value, kind) in options.items():
        missing = value is None and name in _OPTIONAL
        if not missing and (isinstance(value, str) or not isinstance(value, kind)):
            expected = {"Mapping": "a dict of lists of layers", "Sequence": "a list"}
            raise TypeError(
                f"Budget: {name} is {value!r}, expected {expected.get(kind.__name__, f'a {kind.__name__}')}."
            )


def check_share(name: str, share: float) -> None:
    """Raise ValueError unless it is a number in [0, 1)."""
    if isinstance(share, bool | str) or not 0 <= share < 1:
        raise ValueError(f"Budget: {name} is {share!r}, expected a share in [0, 1).")


def check_count(name: str, number: Any, least: int, *, optional: bool = False) -> None:
    """Raise ValueError unless it is a whole number of training steps, or None where that may be."""
    if number is None and optional:
        return
    if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
        raise ValueError(
            f"Budget: {name} is {number!r}, expected a whole number of training steps, {least} or more"
            f"{', or None' if optional else ''}."
        )
