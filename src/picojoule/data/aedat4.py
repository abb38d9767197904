"""AEDAT 4, the format of iniVation's DV software, read with the package `aedat`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from picojoule.data.events import Events
from picojoule.data.on_sensor import check_on_sensor
from picojoule.extras import extra

_Array = np.ndarray[Any, Any]

_VERSION = b"#!AER-DAT4.0\r\n"
_PACKET_BYTES = 8  # before its content: number of the stream, length of the content
_FIELDS = ("t", "x", "y", "on")  # of aedat's arrays
_LARGEST = 2**63 - 1


def read_aedat4(path: Path) -> Events:
    r"""The events of an AEDAT 4 file; frames, triggers and motion are passed over.

        "#!AER-DAT4.0\r\n";  length, then the table IOHE with the streams;  packets
        packet: number of its stream, length, then its content, mostly compressed

    Lengths are little-endian words of 32 bits. Where the packets lie is checked here, since `aedat` ends the
    process at a length that is damaged; their content is decoded by it. Times are the camera's, often microseconds
    since 1970.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: the package `aedat` is missing; the message names the extra.
        ValueError: it is no AEDAT 4 file, ends within a packet, is damaged otherwise, has no stream of events or
            several, or an event lies outside the sensor that it names; the message names the file.

    Source: iniVation, "AEDAT 4.0" (docs.inivation.com, File formats).
    """
    with extra("events"):
        import aedat
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty, expected AEDAT 4.0; fetch it again.")
    _check_packets(np.memmap(path, np.uint8, "r"), path)
    with _told_as_damaged(path):
        decoder = aedat.Decoder(path)
        streams = decoder.id_to_stream()
        stream = _stream_of_events(streams, path)
        packets = [packet["events"] for packet in decoder if packet["stream_id"] == stream]
    columns = np.empty((4, sum(map(len, packets))), np.int64)
    past = np.cumsum([0, *map(len, packets)])
    for start, stop, events in zip(past, past[1:], packets, strict=False):
        if events["t"].max(initial=0) > _LARGEST:
            raise ValueError(
                f"{path}: the time of event {start + int((events['t'] > _LARGEST).argmax())} is beyond int64, expected "
                "microseconds. The file is damaged; fetch it again."
            )
        for column, field in zip(columns, _FIELDS, strict=True):
            column[start:stop] = events[field]
        size = streams[stream]["width"], streams[stream]["height"]
        check_on_sensor(events["x"], events["y"], size, int(start), path)
    return Events(*torch.from_numpy(columns))


def _stream_of_events(streams: dict[int, dict[str, Any]], path: Path) -> int:
    numbers = sorted(number for number, stream in streams.items() if stream["type"] == "events")
    if len(numbers) != 1:
        came = ", ".join(f"{number} ({streams[number]['type']})" for number in sorted(streams))
        raise ValueError(
            f"{path}: {len(numbers)} of its streams are of events, expected one; it has {came or 'none'}. Save one "
            "camera a file."
        )
    return numbers[0]


def _check_packets(content: _Array, path: Path) -> None:
    """Raise ValueError unless the packets fill the file, up to the table of them if it has one."""
    start = content[: len(_VERSION)].tobytes()
    if start != _VERSION:
        raise ValueError(
            f"{path}: no AEDAT 4.0 file; it starts with {start!r}, expected {_VERSION!r}."
        )
    at = len(_VERSION)
    header_bytes = _number(content, at, 4)
    if not 0 < header_bytes <= len(content) - at - 4:
        raise ValueError(
            f"{path}: byte {at} announces a header of {header_bytes} bytes, but {len(content) - at - 4} follow. The file "
            "is cut short; fetch it again."
        )
    at, table = at + 4 + header_bytes, _table(content[at + 4 : at + 4 + header_bytes])
    end = len(content) if table < 0 else table
    while at < min(end, len(content)):
        left = len(content) - at - _PACKET_BYTES
        size = _number(content, at + 4, 4) if left >= 0 else 0
        if not 0 <= size <= left:
            raise ValueError(
                f"{path}: the packet at byte {at} announces {size} bytes, but {max(left, 0)} follow. The file is cut "
                "short; fetch it again."
            )
        at += _PACKET_BYTES + size
    if at != end:
        raise ValueError(
            f"{path}: its packets end at byte {at}, expected {end}, where its header says that a table of them begins. "
            "The file is damaged; fetch it again."
        )


def _table(header: _Array) -> int:
    """Where the table of packets begins, as the flatbuffer IOHE says in its second field; -1 if there is none."""
    root = _number(header, 0, 4)
    fields = root - _number(header, root, 4)
    place = _number(header, fields + 6, 2) if _number(header, fields, 2) >= 8 else 0
    return _number(header, root + place, 8) if place else -1


def _number(content: _Array, at: int, size: int) -> int:
    """A signed little-endian number; 0 outside the content."""
    return (
        int.from_bytes(content[at : at + size].tobytes(), "little", signed=True) if at >= 0 else 0
    )


@contextmanager
def _told_as_damaged(path: Path) -> Iterator[None]:
    """Errors of `aedat`, which are of many types (its panics of no exported one), as ValueError naming the file."""
    try:
        yield
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"
        if isinstance(error, MemoryError) or not (is_panic or isinstance(error, Exception)):
            raise
        if isinstance(error, ValueError) and str(error).startswith(f"{path}: "):
            raise
        raise ValueError(
            f"{path}: `aedat` cannot read it ({error}). The file is damaged; fetch it again."
        ) from error
