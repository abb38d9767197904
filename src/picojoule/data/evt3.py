"""EVT 3.0, the events of Prophesee's cameras in words of 16 bits that say only what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from picojoule.data.counters import latest, unrolled

_Array = np.ndarray[Any, Any]

_ADDR_Y, _ADDR_X, _BASE_X, _VECT_12, _VECT_8 = 0x0, 0x2, 0x3, 0x4, 0x5
_TIME_LOW, _TIME_HIGH = 0x6, 0x8
_TIME_BITS = 12
_WIDTHS = np.zeros(16, np.int64)  # of a vector, by type
_WIDTHS[_VECT_12], _WIDTHS[_VECT_8] = 12, 8
_PIXELS = np.arange(12, dtype=np.uint16)
_NUM_SET = (np.arange(2**12)[:, None] >> _PIXELS & 1).sum(1)  # bits that are 1, of 12


@dataclass(frozen=True)
class Evt3:
    """EVT 3.0: what its words say, and what was said before them.

    A little-endian word of 16 bits begins with its type, in bits 12-15:

        0x0 EVT_ADDR_Y      0-10: y
        0x2 EVT_ADDR_X      11: p;  0-10: x     an event
        0x3 VECT_BASE_X     11: p;  0-10: x     where the vectors after it begin
        0x4 VECT_12         0-11: an event at x + i for every bit i that is 1; then x += 12
        0x5 VECT_8          0-7: likewise; then x += 8
        0x6 EVT_TIME_LOW    0-11: time, low
        0x8 EVT_TIME_HIGH   0-11: time, high; if it is another than before, low is 0 until it is said
        0x7 CONTINUED_4, 0xA EXT_TRIGGER, 0xE OTHERS, 0xF CONTINUED_12   passed over
        t_us = high * 2^12 + low

    The high part goes on where its 12 bits begin anew (every 16.8 s).

    Attributes:
        high: the high part of the time, unrolled.
        low: the low part.
        y: row.
        x: where a vector begins.
        p: polarity of a vector.

    Source: Prophesee, "EVT 3.0 Format" (Metavision documentation). It does not say what low is between a high part
    and the next low part: OpenEB's sample takes 0 after every high part; faery, as here, only after another one, so
    that time does not fall where a camera repeats itself.
    """

    high: int = 0
    low: int = 0
    y: int = 0
    x: int = 0
    p: int = 0

    word: ClassVar = np.dtype("<u2")
    types: ClassVar = (0x0, *range(0x2, 0x9), 0xA, 0xE, 0xF)

    @staticmethod
    def num_events(words: _Array) -> int:
        """How many events the words are."""
        kinds = words >> 12
        vectors = _NUM_SET[words[kinds == _VECT_12] & 0xFFF].sum()
        vectors += _NUM_SET[words[kinds == _VECT_8] & 0xFF].sum()
        return int(np.count_nonzero(kinds == _ADDR_X) + vectors)

    def decode(self, words: _Array) -> tuple[tuple[_Array, _Array, _Array, _Array], Evt3]:
        """The columns t_us, x, y, p of the words' events, and what holds after them."""
        kinds, values = words >> 12, words & 0xFFF
        high, low = self._time(kinds, values)
        y = latest(values[kinds == _ADDR_Y] & 0x7FF, kinds == _ADDR_Y, self.y)
        x, p, next_x = self._vectors(kinds, values)
        at, pixel = _events(kinds, values)
        is_single = kinds[at] == _ADDR_X
        columns = (
            high[at] << _TIME_BITS | low[at],
            np.where(is_single, values[at] & 0x7FF, x[at] + pixel),
            y[at],
            np.where(is_single, values[at] >> 11, p[at]),
        )
        return columns, Evt3(*(int(said) for said in (high[-1], low[-1], y[-1], next_x, p[-1])))

    def _time(self, kinds: _Array, values: _Array) -> tuple[_Array, _Array]:
        """The high and the low part at every word."""
        is_high, is_low = kinds == _TIME_HIGH, kinds == _TIME_LOW
        high = latest(
            unrolled(values[is_high], _TIME_BITS, self.high, 1 << _TIME_BITS), is_high, self.high
        )
        is_low |= np.diff(high, prepend=self.high) != 0
        lows = np.where(kinds == _TIME_LOW, values, 0)
        return high, latest(lows[is_low], is_low, self.low)

    def _vectors(self, kinds: _Array, values: _Array) -> tuple[_Array, _Array, int]:
        """Where a vector begins and its polarity, at every word, and where one after them begins."""
        is_base = kinds == _BASE_X
        widths = _WIDTHS[kinds]
        passed = np.cumsum(widths) - widths
        bases = (values[is_base] & 0x7FF) - passed[is_base]
        x = latest(bases, is_base, self.x) + passed
        return x, latest(values[is_base] >> 11, is_base, self.p), int(x[-1] + widths[-1])


def _events(kinds: _Array, values: _Array) -> tuple[_Array, _Array]:
    """For each event: its word, and its pixel in it."""
    at = np.flatnonzero((kinds == _ADDR_X) | (kinds == _VECT_12) | (kinds == _VECT_8))
    kind, pixels = kinds[at], values[at]
    pixels[kind == _ADDR_X] = 1
    pixels[kind == _VECT_8] &= 0xFF
    word, pixel = np.nonzero(pixels[:, None] >> _PIXELS & 1)
    return at[word], pixel
