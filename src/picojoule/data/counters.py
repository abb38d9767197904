"""Streams of words in which a camera says a thing only when it changes, and counts time in few bits."""

from __future__ import annotations

from typing import Any

import numpy as np

_Array = np.ndarray[Any, Any]
_MOST_BACK_US = 10_000  # what a camera's buffers put out of order


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


def unrolled(counts: _Array, bits: int, before: int, count_us: int) -> _Array:
    """Counts that go on where a counter of few bits began anew.

    A fall by more than half of the range is a new beginning; a smaller one is a fall. So is a rise by the whole range but for 10
    ms: a step back to before the last beginning.

    Args:
        counts: what the counter showed, 0 to 2^bits - 1, `n`.
        bits: of the counter.
        before: the count before the first, unrolled.
        count_us: how long one count lasts, microseconds.

    Returns:
        int64 `n`.

    Example:
        >>> unrolled(np.array([4094, 4095, 2, 1]), bits=12, before=4090, count_us=4096)
        array([4094, 4095, 4098, 4097])
        >>> unrolled(np.array([4095, 0, 4095, 1]), bits=12, before=4090, count_us=4096)
        array([4095, 4096, 4095, 4097])
    """
    counts = counts.astype(np.int64)
    begun, shown = divmod(before, 1 << bits)
    steps = np.diff(counts, prepend=shown)
    turns = (steps < -(1 << bits - 1)).astype(np.int64)
    back = np.flatnonzero(steps >= (1 << bits) - _MOST_BACK_US // count_us)
    for at in back:  # few, and none to before the first beginning
        if begun + turns[:at].sum() > 0:
            turns[at] = -1
    counts += begun + np.cumsum(turns) << bits
    return counts
