"""Figures from a file, checked one by one before they are believed.

Each raises a ValueError or TypeError that says what came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MOST = 1e30  # no network has more of anything, and sums and squares of it stay finite
_SHOWN = 50


def amount(value: Any) -> float:
    """A number of what is spent, >= 0."""
    return _within(value, 0.0, _MOST)


def bound(value: Any) -> float:
    """A limit, > 0."""
    return _within(value, 1 / _MOST, _MOST)


def share(value: Any) -> float:
    """A number from 0 to 1."""
    return _within(value, 0.0, 1.0)


def number(value: Any) -> float:
    """A finite number, such as a score."""
    return _within(value, -_MOST, _MOST)


def count(value: Any) -> int:
    """A whole number >= 0."""
    if not isinstance(value, int):
        raise TypeError(f"{_short(value)} is no whole number")
    return int(_within(value, 0.0, _MOST))


def word(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError(f"{_short(value)} is no word")
    return value


def single(value: Any) -> Any:
    """A word, a number, a truth or nothing."""
    if isinstance(value, list | dict):
        raise TypeError(f"{_short(value)} is no single value")
    return value


def listed(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise TypeError(f"{_short(value)} is no list")
    return value


def or_none(read: Callable[[Any], Any], value: Any) -> Any:
    """Nothing, or what `read` makes of the value."""
    return None if value is None else read(value)


def _within(value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{_short(value)} is no number")
    if not least <= value <= most:  # NaN neither
        raise ValueError(f"{_short(value)} is not from {least:g} to {most:g}")
    return value


def _short(value: Any) -> str:
    return repr(value)[:_SHOWN]
