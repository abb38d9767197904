"""Numbers that count or point at something, from arrays by others."""

from __future__ import annotations

from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]

_BEYOND = 2.0**63  # the first float that int64 does not hold


def whole_numbers(column: _Array, name: str, advice: str = "expected a whole number") -> _Array:
    """A column as int64, unchanged in value: nothing is rounded, cut or wrapped.

    Args:
        column: booleans, integers or floats, `n`.
        name: what messages call an entry.
        advice: ends the message.

    Raises:
        ValueError: an entry is not finite, has a fraction, or lies beyond int64; the message names it.

    Example:
        >>> whole_numbers(np.array([3.0, 0.0]), "channel")
        array([3, 0])
        >>> whole_numbers(np.array([3.0, 2.7]), "channel")
        Traceback (most recent call last):
        ValueError: channel 1 is 2.7, expected a whole number.
    """
    if column.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            faulty = (np.rint(column) != column) | ~(np.abs(column) < _BEYOND)
    elif column.dtype.kind == "u":
        faulty = column > np.iinfo(np.int64).max
    else:
        faulty = np.zeros(column.shape, bool)
    if faulty.any():
        at = int(faulty.nonzero()[0][0])
        raise ValueError(f"{name} {at} is {column[at]}, {advice}.")
    return column.astype(np.int64)
