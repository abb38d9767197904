"""The way in and out: events of dense sequences, and dense sequences of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from picojoule.events.kernels.pointers import doubles, integers, reals, wide
from picojoule.events.kernels.tables import ARRIVED, COUNT, FRAME, POOL, VECTOR
from picojoule.events.kernels.vectors import BLOCK, add_windows, any_differs, lowest_lane
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
        channels_first = frame[FRAME.channels_first] != 0
        minor = P if channels_first else C
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
                    bits = _differ(x, start, N) if start == whole else any_differs(x, start, ZERO)
                    if bits == 0:
                        continue
                    begins_at = np.int64(np.int32(start) // np.int32(minor))
                    while bits != 0:
                        lane = lowest_lane(bits)
                        bits &= bits - 1
                        value = x[start + lane]
                        if value != np.floor(value) or value - value != ZERO:  # infinity
                            broken[sample] = 1
                        major, rest = begins_at, start + lane - begins_at * minor
                        if (
                            rest >= minor
                        ):  # a block may reach into the next row, or into several short ones
                            more = np.int64(1 if minor >= BLOCK else rest // minor)
                            major, rest = major + more, rest - more * minor
                        positions[at] = rest if channels_first else major
                        channel[at] = major if channels_first else rest
                        values[at] = value
                        at += 1
            offsets[T] = at

    return run


@inlined
def _differ(x: Any, first: Any, last: Any) -> Any:
    """Which of fewer than a block differ from zero, as bits."""
    bits = 0
    for j in range(first, last):
        if x[j] != ZERO:
            bits |= 1 << (j - first)
    return bits


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


def arrived_of_events() -> Callable[..., None]:
    """Writes what arrives at weights, densely: events that poolings take to one place are added up there."""

    def run(first: Any, last: Any, table: Any) -> None:
        arrived = wide(table)
        T, N, which = (
            arrived[ARRIVED.num_steps],
            arrived[ARRIVED.size],
            wide(arrived[ARRIVED.which]),
        )
        place_first, place_at = (
            integers(arrived[ARRIVED.place_first]),
            integers(arrived[ARRIVED.place_at]),
        )
        of_place, of_channel = arrived[ARRIVED.places_apart], arrived[ARRIVED.channels_apart]
        for k in range(first, last):
            sample = which[k]
            out = 4 * sample * arrived[ARRIVED.capacity]
            positions, channel = (
                integers(arrived[ARRIVED.positions] + out),
                integers(arrived[ARRIVED.channel] + out),
            )
            values, offsets = (
                reals(arrived[ARRIVED.values] + out),
                integers(arrived[ARRIVED.offsets] + 4 * sample * (T + 1)),
            )
            for t in range(T):
                x = reals(arrived[ARRIVED.frames] + 4 * (k * T + t) * N)
                _clear(x, N)
                for e in range(offsets[t], offsets[t + 1]):
                    p, own = positions[e], (channel[e] + arrived[ARRIVED.shift]) * of_channel
                    for m in range(place_first[p], place_first[p + 1]):
                        x[own + place_at[m] * of_place] += values[e]

    return run


@inlined
def _clear(x: Any, N: Any) -> None:
    for j in range(N):
        x[j] = ZERO


def pooled_frames() -> Callable[..., None]:
    """Adds up windows of 2 x 2, row by row as PyTorch's pooling does; a last row or column that is left over belongs to none."""

    def run(first: Any, last: Any, table: Any) -> None:
        pool = wide(table)
        height, width = pool[POOL.height], pool[POOL.width]
        x, out = reals(pool[POOL.values]), reals(pool[POOL.sums])
        H, W = height // 2, width // 2
        for plane in range(first, last):
            for row in range(H):
                upper, at = (plane * height + 2 * row) * width, (plane * H + row) * W
                _pooled_row(x, upper, upper + width, out, at, W)

    return run


@inlined
def _pooled_row(x: Any, upper: Any, lower: Any, out: Any, at: Any, W: Any) -> None:
    if W < VECTOR:
        for j in range(W):
            a, b = upper + 2 * j, lower + 2 * j
            out[at + j] = ((x[a] + x[a + 1]) + x[b]) + x[b + 1]
        return
    for j in range(0, W - VECTOR, VECTOR):
        add_windows(out, at + j, x, upper + 2 * j, lower + 2 * j)
    j = W - VECTOR  # the last eight, of which some may be written twice
    add_windows(out, at + j, x, upper + 2 * j, lower + 2 * j)


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
        for step in range(first, last):  # of all samples, one after the other
            x = reals(count[COUNT.values] + 4 * step * N)
            total = 0.0
            for start in range(0, N, PIECE):
                part, fraction = _piece(x, fan, start, min(start + PIECE, N))
                total += part
                if fraction != ZERO:
                    broken[step // T] = 1
            synops[step] = total

    return run


@reordered
def _piece(x: Any, fan: Any, first: Any, last: Any) -> Any:
    """The sum of a piece, and how far its numbers are from whole ones."""
    total, fraction = ZERO, ZERO
    for j in range(first, last):
        total += abs(x[j]) * fan[j]
        fraction += abs(x[j] - np.floor(x[j]))
    return total, fraction
