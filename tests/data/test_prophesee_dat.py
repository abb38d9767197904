"""Prophesee's .dat files."""

import struct
from pathlib import Path

import pytest
import torch

from picojoule.data import Events, read_events
from tests.data.prophesee_files import DAT, Row, dat, rows, some_events


def read(folder: Path, content: bytes) -> list[Row]:
    path = folder / "a_td.dat"
    path.write_bytes(content)
    return rows(read_events(path))


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert read(tmp_path, dat(some_events(0))) == rows(some_events(0))


def test_one_event_by_hand(tmp_path: Path) -> None:
    data = 0b0001_00000000000101_00000000000011  # p = 1, y = 5, x = 3
    content = DAT + bytes([0, 8]) + struct.pack("<II", 258, data)
    assert read(tmp_path, content) == [(258, 3, 5, 1)]


def test_time_goes_on_where_32_bits_begin_anew(tmp_path: Path) -> None:
    t_us = torch.tensor(
        [2**32 - 10, 2**32 - 12, 2**32 + 5, 2**32 - 1, 2**32 + 6, 2**33 - 20_000, 2**33 + 7]
    )
    events = Events(t_us, *some_events(0, len(t_us))[1:])
    assert read(tmp_path, dat(events)) == rows(events)


def test_a_recording_without_events_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path, DAT + bytes([12, 8])) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty"),
        (b"\x0c\x08", "expected a header"),
        (b"% Data file containing CD events\n\x0c\x08", "no line '% Version 2'"),
        (DAT, "events of type 0 and 0 bytes, expected type 0"),
        (
            DAT + bytes([14, 8]),
            r"announce events of type 14 and 8 bytes, expected type 0 \(2D events\) or 12",
        ),
        (DAT + bytes([12, 9]), "of type 12 and 9 bytes"),
        (
            DAT + bytes([12, 8]) + bytes(12),
            f"12 bytes follow byte {len(DAT) + 2}, expected a multiple of 8",
        ),
        (DAT + bytes([12, 8]) + bytes(8) + b"\0\0\0\0\0\0\0\x20", "polarity of event 1 is 2"),
        (
            DAT + bytes([12, 8]) + struct.pack("<II", 0, 1280),
            "x of event 0 is 1280, expected at most 1279",
        ),
        (DAT + bytes([12, 8]) + struct.pack("<II", 0, 720 << 14), "y of event 0 is 720"),
    ],
)
def test_a_damaged_recording_is_named(tmp_path: Path, content: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=rf"a_td\.dat: .*{text}"):
        read(tmp_path, content)


def test_another_version_is_named(tmp_path: Path) -> None:
    content = DAT.replace(b"Version 2", b"Version 1") + bytes([12, 8])
    with pytest.raises(NotImplementedError, match=r"a_td\.dat: \.dat of version 1 is not read"):
        read(tmp_path, content)
