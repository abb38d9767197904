"""Options of a Budget that are of no use, before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from picojoule.budget.constraints import Constraint

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


def check_made_by_hand(constraints: Iterable[object]) -> None:
    """Raise TypeError for what is no constraint."""
    for each in constraints:
        if not hasattr(each, "counted_layers"):
            raise TypeError(
                f"Budget: constraints has {each!r}, expected a SynopsLimit, EnergyLimit, RateBound or other Constraint."
            )


def check_distinct(constraints: Iterable[Constraint]) -> None:
    """Raise ValueError where two have one name: results are by name, so that one of them would be lost."""
    names = [constraint.name for constraint in constraints]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"Budget: two constraints have the name {twice!r}. Leave the looser one out, or, if they differ in more than their "
            "bounds (a profile, say), give one of them a label of its own: SynopsLimit(label=...)."
        )


def check_groups(groups: Mapping[str, Sequence[str]], *, needed: bool) -> None:
    """Raise ValueError for a group of none, or no groups where there must be some, TypeError for one that is no list."""
    if not all(groups.values()) or (needed and not groups):
        raise ValueError("Budget: per='group' needs groups={name: [layers]}, with a layer in each.")
    for name, layers in groups.items():
        if isinstance(layers, str):
            raise TypeError(
                f"Budget: group {name!r} is {layers!r}, expected a list of layers, such as [{layers!r}]."
            )
