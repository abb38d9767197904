"""AEDAT 3.1, the format in which DVS128 Gesture is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from picojoule.data.events import Events

_Array = np.ndarray[Any, Any]

_VERSION = b"#!AER-DAT3.1"
_END_OF_HEADER = b"#!END-HEADER\r\n"
_POLARITY_EVENTS = 1
_EVENT_BYTES = 8
_HEADER = np.dtype(
    [
        ("type", "<i2"),
        ("source", "<i2"),
        ("event_bytes", "<i4"),
        ("time_offset", "<i4"),
        ("overflows", "<i4"),
        ("capacity", "<i4"),
        ("number", "<i4"),
        ("valid", "<i4"),
    ]
)
_EVENT = np.dtype([("data", "<u4"), ("time", "<i4")])


class Aedat:
    """The polarity events of an AEDAT 3.1 file, read by span of time.

    A packet is 28 bytes of header and its events, 8 bytes each, all little-endian:

        bit 0: valid;  1: polarity, 1 is ON;  2-16: y from the top;  17-31: x
        t_us = overflows * 2^31 + time

    Events marked invalid are none; packets of another type are passed over. Opening the file notes
    where each packet lies and which span it covers; events are decoded when asked for.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no AEDAT 3.1 file, or ends within a packet.

    Source: iniVation, "AEDAT 3.1" (docs.inivation.com, File formats).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._packets: list[tuple[int, int, int]] = []  # first byte, number of events, overflows
        spans = []
        content = self._content()
        at = _end_of_header(content, path)
        while at < len(content):
            header = self._header(content, at)
            first, number = at + _HEADER.itemsize, int(header["number"])
            at = first + int(header["event_bytes"]) * int(header["capacity"])
            if header["type"] == _POLARITY_EVENTS and number:
                packet = (first, number, int(header["overflows"]))
                t_us = _decoded(content, packet)["time"] + np.int64(packet[2] << 31)
                self._packets.append(packet)
                spans.append((t_us.min(), t_us.max()))
        self._first_us, self._last_us = np.array(spans, np.int64).reshape(-1, 2).T

    def events(self, start_us: int, stop_us: int) -> Events:
        """The events with start_us <= t_us < stop_us, in the file's order."""
        wanted = np.flatnonzero((self._last_us >= start_us) & (self._first_us < stop_us))
        content = self._content()
        parts = [_columns(content, self._packets[k]) for k in wanted]
        columns = np.concatenate([np.empty((4, 0), np.int64), *parts], axis=1)
        within = (columns[0] >= start_us) & (columns[0] < stop_us)
        return Events(*torch.from_numpy(columns[:, within]))

    def _content(self) -> _Array:
        if self.path.stat().st_size == 0:
            raise ValueError(f"{self.path}: the file is empty, expected AEDAT 3.1; fetch it again.")
        return np.memmap(self.path, np.uint8, "r")

    def _header(self, content: _Array, at: int) -> Any:
        left = len(content) - at
        if left < _HEADER.itemsize:
            raise ValueError(
                f"{self.path}: {left} bytes follow at byte {at}, expected a packet's header of "
                f"{_HEADER.itemsize}. The file is cut short; fetch it again."
            )
        header = content[at : at + _HEADER.itemsize].view(_HEADER)[0]
        size, capacity, number = (int(header[n]) for n in ("event_bytes", "capacity", "number"))
        is_polarity = header["type"] == _POLARITY_EVENTS
        if size < 1 or not 0 <= number <= capacity or (is_polarity and size != _EVENT_BYTES):
            raise ValueError(
                f"{self.path}: the packet at byte {at} announces {number} of {capacity} events of "
                f"{size} bytes (type {header['type']}); expected 0 <= number <= capacity, and "
                f"{_EVENT_BYTES} bytes in type 1. The file is damaged; fetch it again."
            )
        if left < _HEADER.itemsize + size * capacity:
            raise ValueError(
                f"{self.path}: the packet at byte {at} announces {capacity} events of {size} bytes, "
                f"but {left - _HEADER.itemsize} bytes follow. The file is cut short; fetch it again."
            )
        return header


def _end_of_header(content: _Array, path: Path) -> int:
    start = content[: 2**16].tobytes()
    if not start.startswith(_VERSION):
        raise ValueError(
            f"{path}: no AEDAT 3.1 file; it starts with {start[:14]!r}, expected {_VERSION!r}."
        )
    end = start.find(_END_OF_HEADER)
    if end < 0:
        raise ValueError(f"{path}: its header has no end, expected {_END_OF_HEADER!r}.")
    return end + len(_END_OF_HEADER)


def _decoded(content: _Array, packet: tuple[int, int, int]) -> _Array:
    first, number, _ = packet
    return content[first : first + number * _EVENT_BYTES].view(_EVENT)


def _columns(content: _Array, packet: tuple[int, int, int]) -> _Array:
    """The valid events of a packet: t_us, x, y, p; int64 `4 n`."""
    events = _decoded(content, packet)
    data = events["data"].astype(np.int64)
    t_us = events["time"].astype(np.int64) + (packet[2] << 31)
    columns = np.stack([t_us, data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1])
    return columns[:, (data & 1) == 1]
