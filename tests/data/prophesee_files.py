"""Files of Prophesee's formats, written word by word as their documentation says, from known events."""

import struct
from collections.abc import Iterator

import torch

from picojoule.data import Events

SIZE = (1280, 720)
GEOMETRY = b"% geometry 1280x720\n"
EVT2 = b"% date 2023-03-29 16:37:46\n% evt 2.0\n" + GEOMETRY + b"% end\n"
EVT3 = b"% evt 3.0\n% format EVT3;height=720;width=1280\n" + GEOMETRY + b"% end\n"
DAT = b"% Data file containing CD events\n% Version 2\n% Width 1280\n% Height 720\n"

Row = tuple[int, int, int, int]


def some_events(seed: int, n: int = 200, start_us: int = 0, stop_us: int = 300_000) -> Events:
    """Events in order of time; every other one is the neighbour of the one before, at its time."""
    generator = torch.Generator().manual_seed(seed)
    t_us = torch.randint(start_us, stop_us, (n,), generator=generator).sort().values
    x = torch.randint(0, SIZE[0] - 12, (n,), generator=generator)
    y = torch.randint(0, SIZE[1], (n,), generator=generator)
    p = torch.randint(0, 2, (n,), generator=generator)
    steps = torch.randint(1, 12, (n,), generator=generator)
    for column in (t_us, y, p):
        column[1::2] = column[: n - n % 2 : 2]
    x[1::2] = x[: n - n % 2 : 2] + steps[1::2]
    return Events(t_us, x, y, p)


def rows(events: Events) -> list[Row]:
    return list(zip(*(column.tolist() for column in events), strict=True))  # type: ignore[arg-type]


def dat(events: Events) -> bytes:
    """Time modulo 2^32; x in 14 bits, y in 14, polarity in 4."""
    words = (struct.pack("<II", t % 2**32, p << 28 | y << 14 | x) for t, x, y, p in rows(events))
    return DAT + bytes([12, 8]) + b"".join(words)


def evt2(events: Events) -> bytes:
    """A word with the high part of the time before the events that are the first to have it."""
    words, high = [], -1
    for t, x, y, p in rows(events):
        if t >> 6 != high:
            high = t >> 6
            words.append(0x8 << 28 | high % 2**28)
        words.append(p << 28 | t % 64 << 22 | x << 11 | y)
    return EVT2 + struct.pack(f"<{len(words)}I", *words)


def evt3(events: Events) -> bytes:
    """Every high part that passes, as cameras do; vectors where neighbours follow each other."""
    words = list(_evt3_words(rows(events)))
    return EVT3 + struct.pack(f"<{len(words)}H", *words)


def _evt3_words(events: list[Row]) -> Iterator[int]:
    high = y_before = -1
    low = -1
    while events:
        t, x, y, p = events[0]
        for passing in range(t >> 12 if high < 0 else high + 1, (t >> 12) + 1):
            high, low = passing, -1
            yield 0x8 << 12 | high % 2**12
        if t % 2**12 != low:
            low = t % 2**12
            yield 0x6 << 12 | low
        if y != y_before:
            y_before = y
            yield y
        vector = _vector(events)
        if len(vector) == 1:
            yield 0x2 << 12 | p << 11 | x
        else:
            yield 0x3 << 12 | p << 11 | x
            mask = sum(1 << pixel for pixel in vector)
            yield (0x5 if mask < 2**8 else 0x4) << 12 | mask
        events = events[len(vector) :]


def _vector(events: list[Row]) -> list[int]:
    """The pixels of the events that make one vector, from the first's."""
    t, x, y, p = events[0]
    pixels = [0]
    for other in events[1:]:
        pixel = other[1] - x
        if (other[0], *other[2:]) != (t, y, p) or not pixels[-1] < pixel < 12:
            break
        pixels.append(pixel)
    return pixels
