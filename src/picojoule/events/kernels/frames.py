"""The way in and out: events of dense sequences, and dense sequences of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from picojoule.events.kernels.pointers import doubles, integers, reals, wide
from picojoule.events.kernels.tables import COUNT, FRAME
from picojoule.events.kernels.vectors import BLOCK, any_differs
from picojoule.ops.cpu.inlined import inlined

ZERO = np.float32(0)
PIECE = 512


def reordered(function: Any) -> Any:
    """Inlined, with sums in any order: they become vector instructions."""
    return njit(
        forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        fastmath={"contract", "reassoc", "nsz"},
    )(function)  # fmt: skip


def events_of_frames() -> Callable[..., None]:
    """Writes an event for each number that is not zero, in the order of the sequence."""

    def run(first: Any, last: Any, table: Any) -> None:
        frame = wide(table)
        T, P, C = frame[FRAME.num_steps], frame[FRAME.positions_of], frame[FRAME.channels]
        N, which, begins = P * C, wide(frame[FRAME.which]), wide(frame[FRAME.first_frame])
        broken = wide(frame[FRAME.broken])
        minor = P if frame[FRAME.channels_first] != 0 else C
        whole = N // BLOCK * BLOCK
        for k in range(first, last):
            sample = which[k]
            out = 4 * sample * frame[FRAME.capacity]
            positions, channel = (
                integers(frame[FRAME.positions] + out),
                integers(frame[FRAME.channel] + out),
            )
            values, offsets = (
                reals(frame[FRAME.values] + out),
                integers(frame[FRAME.offsets] + 4 * sample * (T + 1)),
            )
            at = 0
            for t in range(T):
                offsets[t] = at
                x = reals(frame[FRAME.frames] + 4 * (begins[sample] + t * N))
                for start in range(0, N, BLOCK):
                    if start == whole or any_differs(x, start, ZERO) != 0:
                        for j in range(start, min(start + BLOCK, N)):
                            if x[j] != ZERO:
                                if x[j] != np.floor(x[j]):
                                    broken[sample] = 1
                                major, rest = j // minor, j % minor
                                positions[at] = rest if frame[FRAME.channels_first] != 0 else major
                                channel[at] = major if frame[FRAME.channels_first] != 0 else rest
                                values[at] = x[j]
                                at += 1
            offsets[T] = at

    return run


def frames_of_events() -> Callable[..., None]:
    """Writes the dense sequence, zeros included."""

    def run(first: Any, last: Any, table: Any) -> None:
        frame = wide(table)
        T, P, C = frame[FRAME.num_steps], frame[FRAME.positions_of], frame[FRAME.channels]
        N, which, begins = P * C, wide(frame[FRAME.which]), wide(frame[FRAME.first_frame])
        for k in range(first, last):
            sample = which[k]
            out = 4 * sample * frame[FRAME.capacity]
            positions, channel = (
                integers(frame[FRAME.positions] + out),
                integers(frame[FRAME.channel] + out),
            )
            values, offsets = (
                reals(frame[FRAME.values] + out),
                integers(frame[FRAME.offsets] + 4 * sample * (T + 1)),
            )
            for t in range(T):
                x = reals(frame[FRAME.frames] + 4 * (begins[sample] + t * N))
                _clear(x, N)
                for e in range(offsets[t], offsets[t + 1]):
                    p, c = positions[e], channel[e]
                    x[c * P + p if frame[FRAME.channels_first] != 0 else p * C + c] = values[e]

    return run


@inlined
def _clear(x: Any, N: Any) -> None:
    for j in range(N):
        x[j] = ZERO


def synops_of_frames() -> Callable[..., None]:
    """Counts the SynOps of a dense sequence: of each step the sum of |value| times its synapses.

    A few hundred products are added up in float32, which holds whole numbers up to 2^24, then in float64.
    """

    def run(first: Any, last: Any, table: Any) -> None:
        count = wide(table)
        T, N = count[COUNT.num_steps], count[COUNT.size]
        fan, synops, broken = (
            reals(count[COUNT.fan]),
            doubles(count[COUNT.synops]),
            wide(count[COUNT.broken]),
        )
        for sample in range(first, last):
            for t in range(T):
                x = reals(count[COUNT.values] + 4 * (sample * T + t) * N)
                total = 0.0
                for start in range(0, N, PIECE):
                    part, fraction = _piece(x, fan, start, min(start + PIECE, N))
                    total += part
                    if fraction != ZERO:
                        broken[sample] = 1
                synops[sample * T + t] = total

    return run


@reordered
def _piece(x: Any, fan: Any, first: Any, last: Any) -> Any:
    """The sum of a piece, and how far its numbers are from whole ones."""
    total, fraction = ZERO, ZERO
    for j in range(first, last):
        total += abs(x[j]) * fan[j]
        fraction += abs(x[j] - np.floor(x[j]))
    return total, fraction
