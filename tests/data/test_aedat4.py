"""AEDAT 4, as its documentation says; damaged packets are told before `aedat` sees them."""

import struct
from pathlib import Path

import pytest
import torch

pytest.importorskip("aedat", reason="pip install 'picojoule[events]'")

from picojoule.data import read_events
from tests.data.aedat4_file import VERSION, aedat4, io_header, packet
from tests.data.prophesee_files import Row, rows, some_events

START = 1_605_537_494_298_340  # microseconds since 1970
HEADER = VERSION + io_header({0: "EVTS"})


def read(folder: Path, content: bytes) -> list[Row]:
    path = folder / "a.aedat4"
    path.write_bytes(content)
    return rows(read_events(path))


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    parts = [some_events(k, 50, START + k * 10**6, START + (k + 1) * 10**6) for k in range(3)]
    content = aedat4(*map(packet, parts))
    assert read(tmp_path, content) == [row for part in parts for row in rows(part)]


def test_other_streams_are_passed_over(tmp_path: Path) -> None:
    events = some_events(0, 20)
    streams = {0: "TRIG", 3: "EVTS"}
    assert read(tmp_path, aedat4(packet(events, stream=3), streams=streams)) == rows(events)


def test_a_recording_without_events_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path, aedat4()) == []


def test_two_cameras_in_a_file_are_told(tmp_path: Path) -> None:
    content = aedat4(packet(some_events(0)), streams={0: "EVTS", 1: "EVTS"})
    with pytest.raises(
        ValueError, match=r"a\.aedat4: 2 of its streams are of events, expected one"
    ):
        read(tmp_path, content)
    with pytest.raises(ValueError, match=r"0 of its streams are of events.*it has 0 \(triggers\)"):
        read(tmp_path, aedat4(streams={0: "TRIG"}))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty"),
        (b"#!AER-DAT4.1\r\n", r"starts with b'#!AER-DAT4\.1"),
        (VERSION + b"\1\0\0", "byte 14 announces a header of 1 bytes, but -1 follow"),
        (HEADER[:-1], "announces a header of"),
        (HEADER + bytes(7), f"the packet at byte {len(HEADER)} announces 0 bytes, but 0 follow"),
        (HEADER + struct.pack("<ii", 0, 2**30) + bytes(9), f"{2**30} bytes, but 9 follow"),
        (HEADER + struct.pack("<ii", 0, -8), "announces -8 bytes"),
        (HEADER + packet(some_events(0))[:-1], f"the packet at byte {len(HEADER)} announces"),
        (HEADER + packet(some_events(0), stream=9), "`aedat` cannot read it"),
        (HEADER + struct.pack("<ii", 0, 4) + bytes(4), "`aedat` cannot read it"),
        (HEADER.replace(b"<dv", b"<<<"), "`aedat` cannot read it"),
        (
            HEADER + packet(some_events(0, 3)._replace(t_us=-some_events(0, 3).t_us - 1)),
            "time of event 0 is beyond int64",
        ),
        (
            HEADER
            + packet(some_events(0, 3))
            + packet(some_events(0, 3)._replace(y=torch.tensor([0, 720, 0]))),
            "y of event 4 is 720, expected at most 719 on a sensor of 1280 x 720",
        ),
    ],
)
def test_a_damaged_recording_is_named(tmp_path: Path, content: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.aedat4: .*{text}"):
        read(tmp_path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "none.aedat4")
