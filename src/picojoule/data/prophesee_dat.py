"""Prophesee's .dat files: decoded events, eight bytes each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from picojoule.data.counters import unrolled
from picojoule.data.events import Events
from picojoule.data.on_sensor import check_on_sensor
from picojoule.data.prophesee import PropheseeHeader, read_prophesee_header

_Array = np.ndarray[Any, Any]

_EVENT_BYTES = 8
_MOST_SIDE = 2**14
_TYPES = {0x00: "2D events", 0x0C: "CD events"}
_EVENT = np.dtype([("time", "<u4"), ("data", "<u4")])
_VERSION = "2"


def read_dat(path: Path) -> Events:
    r"""The events of a `.dat` file of version 2, as Metavision and the automotive data sets have them.

    Lines that begin with `%`, a byte with the type of the events (0 or 12) and one with their size (8), then two
    little-endian words of 32 bits an event:

        time, in microseconds modulo 2^32
        bits 0-13: x;  14-27: y;  28-31: polarity, 1 is ON

    Where time falls by more than 2^31 us, it goes on behind 2^32.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no such header, ends within an event, or an event has another polarity or
            lies outside the sensor that the header names; the message names the file and the event.
        NotImplementedError: it is of another version.

    Example:
        >>> path = getfixture("tmp_path") / "street_td.dat"
        >>> header = b"% Data file containing CD events\n% Version 2\n"
        >>> event = (9).to_bytes(4, "little") + (1 << 28 | 5 << 14 | 3).to_bytes(4, "little")
        >>> _ = path.write_bytes(header + bytes([12, 8]) + event)
        >>> read_dat(path)
        Events(t_us=tensor([9]), x=tensor([3]), y=tensor([5]), p=tensor([1]))

    Source: Prophesee, "DAT File Format" (Metavision documentation).
    """
    if path.stat().st_size == 0:
        raise ValueError(
            f"{path}: the file is empty, expected a header and events; fetch it again."
        )
    content = np.memmap(path, np.uint8, "r")
    header = read_prophesee_header(content, path)
    events = _events(content, header, path)
    columns = np.empty((4, len(events)), np.int64)
    columns[0] = unrolled(events["time"], 32, before=0, count_us=1)
    for row, (shift, mask) in enumerate(((0, 0x3FFF), (14, 0x3FFF), (28, 0xF)), start=1):
        columns[row] = events["data"] >> shift & mask
    _, x, y, p = columns
    if (p > 1).any():
        at = int((p > 1).argmax())
        raise ValueError(
            f"{path}: the polarity of event {at} is {p[at]}, expected 0 or 1. The file is damaged; "
            "fetch it again."
        )
    check_on_sensor(x, y, header.size(_MOST_SIDE), 0, path)
    return Events(*torch.from_numpy(columns))


def _events(content: _Array, header: PropheseeHeader, path: Path) -> _Array:
    version = header.values.get("version")
    if version is None:
        raise ValueError(
            f"{path}: its header has no line '% Version 2'. It is no .dat file of events."
        )
    if version != _VERSION:
        raise NotImplementedError(
            f"{path}: .dat of version {version} is not read, only version {_VERSION}. Write it anew with "
            "the camera's software."
        )
    at = header.num_bytes
    kind, size = (int(byte) for byte in (*content[at : at + 2], 0, 0)[:2])
    if kind not in _TYPES or size != _EVENT_BYTES:
        raise ValueError(
            f"{path}: bytes {at} and {at + 1} announce events of type {kind} and {size} bytes, expected type "
            f"{' or '.join(f'{number} ({name})' for number, name in _TYPES.items())} and {_EVENT_BYTES} bytes."
        )
    num_bytes = len(content) - at - 2
    if num_bytes % _EVENT_BYTES:
        raise ValueError(
            f"{path}: {num_bytes} bytes follow byte {at + 2}, expected a multiple of {_EVENT_BYTES} (an "
            "event). The file is cut short; fetch it again."
        )
    return content[at + 2 :].view(_EVENT)
