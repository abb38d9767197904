"""Sums of weights for every pattern of spikes that an output of a layer with few input channels can see in a row.

    sums[tap, piece, m] = sum over the bits of m of weight[channel of the bit, tap, place of the bit]

The spikes of a row that an output sees are a number of `channels x width of the kernel` bits, which is cut into pieces as few as
the first-level cache has room for. `kernels/patterns.py` looks them up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from picojoule.events.axes import Tap
from picojoule.events.kernels.tables import VECTOR
from picojoule.events.tap_tables import Ints, int32

_Reals = np.ndarray[Any, np.dtype[np.float32]]
MOST_CHANNELS = 4
FEWEST_BITS = 2  # of a piece: with one, each spike is looked up by itself
MOST_SUMS = 8192  # reals: what the first-level cache holds beside the neurons


@dataclass(frozen=True)
class Patterns:
    """Tables of one term; `kernels.tables.PatternPlaces` says what each is."""

    num_codes: int
    row_codes: int
    places: int
    outputs: int
    pieces: int
    bits: int
    bits_at: Ints
    bits_add: Ints
    lookup_first: Ints
    lookup_codes: Ints
    lookup_sums: Ints
    sums: _Reals


def patterns_of(
    outer: list[list[Tap]], inner: list[list[Tap]], weights: _Reals, rows: int, outputs: int
) -> Patterns | None:
    """The tables; None where there are too many patterns, or two places are one to a tap, as behind a pooling.

    Args:
        outer: of each row of the input, the taps and rows of the output that it reaches.
        inner: of each place in a row, the taps and outputs that it reaches.
        weights: `channel outer-tap inner-tap width`.
        rows: of the output.
        outputs: of a row.
    """
    channels, outer_taps, inner_taps, width = weights.shape
    bits, padded = channels * inner_taps, -(-width // VECTOR) * VECTOR
    pieces = _fewest_pieces(bits, outer_taps * padded)
    if channels > MOST_CHANNELS or pieces is None or not (_are_apart(outer) and _are_apart(inner)):
        return None
    size = -(-bits // pieces)
    # the last is where a place at the border has fewer bits than others
    row_codes = outputs * pieces + 1
    own_bits = [
        [_bit(tap, channel, channels, pieces, size, padded) for tap in row]
        for channel in range(channels)
        for row in inner
    ]
    of_row: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
    for place, taps in enumerate(outer):
        for tap in taps:
            for piece in range(pieces):
                sums = (tap.tap * pieces + piece) * 2**size * padded
                of_row[tap.output].append((place * row_codes + piece, sums))
    most = max(map(len, own_bits))
    full_bits = [row + [(row_codes - 1, 0)] * (most - len(row)) for row in own_bits]
    _, bits_at, bits_add = _columns(full_bits)
    return Patterns(
        len(outer) * row_codes, row_codes, len(inner), outputs, pieces,
        most, bits_at, bits_add, *_columns(of_row),
        _sums(weights, pieces, size, padded),
    )  # fmt: skip


def _fewest_pieces(bits: int, reals: int) -> int | None:
    """Pieces of a pattern of so many bits whose sums, of so many reals for each, the cache holds."""
    for pieces in range(1, bits // FEWEST_BITS + 1):
        if pieces * 2 ** (-(-bits // pieces)) * reals <= MOST_SUMS:
            return pieces
    return None


def _are_apart(places: list[list[Tap]]) -> bool:
    """Whether an output sees one place at most through each tap."""
    seen = [(tap.tap, tap.output) for row in places for tap in row]
    return len(seen) == len(set(seen)) > 0


def _bit(
    tap: Tap, channel: int, channels: int, pieces: int, size: int, padded: int
) -> tuple[int, int]:
    """Which code of a row a spike is a bit of, and what the bit is worth."""
    piece, bit = divmod(tap.tap * channels + channel, size)
    return tap.output * pieces + piece, 2**bit * padded


def _columns(rows: list[list[tuple[int, int]]]) -> tuple[Ints, Ints, Ints]:
    """Where the entries of each row begin, and their two columns."""
    first = np.cumsum([0, *map(len, rows)])
    entries = np.array([entry for row in rows for entry in row] or [(0, 0)], np.int64)
    return int32(first), int32(entries[:, 0].copy()), int32(entries[:, 1].copy())


def _sums(weights: _Reals, pieces: int, size: int, padded: int) -> _Reals:
    """`taps pieces patterns width`, each rounded once."""
    channels, taps, inner, width = weights.shape
    by_bit = weights.transpose(1, 2, 0, 3).reshape(taps, inner * channels, width)
    full = np.zeros((taps, pieces * size, padded))
    full[:, : inner * channels, :width] = by_bit
    is_set = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
    sums = np.einsum("mb,tpbw->tpmw", is_set, full.reshape(taps, pieces, size, padded))
    return np.ascontiguousarray(sums, np.float32)
