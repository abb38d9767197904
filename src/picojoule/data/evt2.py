"""EVT 2.0, the events of Prophesee's cameras in words of 32 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from picojoule.data.counters import latest, unrolled

_Array = np.ndarray[Any, Any]

_ON, _TIME_HIGH = 0x1, 0x8
_LOW_BITS, _HIGH_BITS = 6, 28


@dataclass(frozen=True)
class Evt2:
    """EVT 2.0: what its words say, and what was said before them.

    A little-endian word of 32 bits begins with its type, in bits 28-31:

        0x0 CD_OFF, 0x1 CD_ON   22-27: time, low;  11-21: x;  0-10: y   an event
        0x8 EVT_TIME_HIGH       0-27: time, high
        0xA EXT_TRIGGER, 0xE OTHERS, 0xF CONTINUED   passed over
        t_us = high * 2^6 + low

    The high part goes on where its 28 bits begin anew (every 4.8 hours).

    Attributes:
        high: the high part of the time, unrolled.

    Source: Prophesee, "EVT 2.0 Format" (Metavision documentation).
    """

    high: int = 0

    word: ClassVar = np.dtype("<u4")
    types: ClassVar = (0x0, 0x1, _TIME_HIGH, 0xA, 0xE, 0xF)

    @staticmethod
    def num_events(words: _Array) -> int:
        """How many events the words are."""
        return int(np.count_nonzero(words >> 28 <= _ON))

    def decode(self, words: _Array) -> tuple[tuple[_Array, _Array, _Array, _Array], Evt2]:
        """The columns t_us, x, y, p of the words' events, and what holds after them."""
        kinds = words >> 28
        is_high = kinds == _TIME_HIGH
        highs = unrolled(
            words[is_high] & (1 << _HIGH_BITS) - 1, _HIGH_BITS, self.high, 1 << _LOW_BITS
        )
        high = latest(highs, is_high, self.high)
        at = np.flatnonzero(kinds <= _ON)
        events = words[at]
        t_us = high[at] << _LOW_BITS | events >> 22 & 0x3F
        return (t_us, events >> 11 & 0x7FF, events & 0x7FF, kinds[at]), Evt2(int(high[-1]))
