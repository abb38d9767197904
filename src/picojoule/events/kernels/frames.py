"""The way in and out: events of dense sequences, and dense sequences of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.events.kernels.emit import BLOCK, any_not_zero
from picojoule.events.kernels.pointers import integers, reals, wide
from picojoule.events.kernels.tables import FRAME
from picojoule.ops.cpu.inlined import inlined

ZERO = np.float32(0)


def events_of_frames() -> Callable[..., None]:
    """Writes an event for each number that is not zero, in the order of the sequence."""

    def run(first: Any, last: Any, table: Any) -> None:
        frame = wide(table)
        T, P, C = frame[FRAME.num_steps], frame[FRAME.positions_of], frame[FRAME.channels]
        N, which, begins = P * C, wide(frame[FRAME.which]), wide(frame[FRAME.first_frame])
        fault = wide(frame[FRAME.fault])
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
                    if start == whole or any_not_zero(x, start):
                        for j in range(start, min(start + BLOCK, N)):
                            if x[j] != ZERO:
                                if not np.isfinite(x[j]) and fault[sample] < 0:
                                    fault[sample] = t * N + j
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
