"""Streams of words in which a camera says a thing only when it changes, and counts time in few bits."""

from __future__ import annotations

from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]


def latest(values: _Array, is_said: _Array, before: int) -> _Array:
    """What was said last, at every word of a stream.

    Args:
        values: what is said, one entry where `is_said` is True.
        is_said: for every word, whether it says something, booleans `n`.
        before: what holds until then.

    Returns:
        int64 `n`; a word that says something has it already.

    Example:
        >>> latest(np.array([7, 9]), np.array([False, True, False, True]), before=5)
        array([5, 7, 7, 9])
    """
    said: _Array = np.concatenate([[before], values]).astype(np.int64, copy=False)
    return said.take(np.cumsum(is_said))


def unrolled(counts: _Array, bits: int, before: int) -> _Array:
    """Counts that go on where a counter of few bits began anew.

    A fall by more than half of the range is a new beginning; a smaller one is a fall.

    Args:
        counts: what the counter showed, 0 to 2^bits - 1, `n`.
        bits: of the counter.
        before: the count before the first, unrolled.

    Returns:
        int64 `n`.

    Example:
        >>> unrolled(np.array([4094, 4095, 2, 1]), bits=12, before=4090)
        array([4094, 4095, 4098, 4097])
    """
    counts = counts.astype(np.int64)
    begun, shown = divmod(before, 1 << bits)
    falls = np.diff(counts, prepend=shown) < -(1 << bits - 1)
    counts += begun + np.cumsum(falls) << bits
    return counts
