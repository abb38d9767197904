"""Prophesee's .raw files, EVT 2.0 and EVT 3.0: from the words of the documentation, and from random ones."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picojoule.data import Events, prophesee_raw, read_events
from tests.data.prophesee_files import EVT2, EVT3, Row, evt2, evt3, rows, some_events

in_a_folder = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read(folder: Path, content: bytes) -> list[Row]:
    path = folder / "a.raw"
    path.write_bytes(content)
    return rows(read_events(path))


def words_3(*words: int) -> bytes:
    return EVT3 + struct.pack(f"<{len(words)}H", *words)


def words_2(*words: int) -> bytes:
    return EVT2 + struct.pack(f"<{len(words)}I", *words)


@pytest.mark.parametrize("write", [evt2, evt3])
@pytest.mark.parametrize("words", [2**18, 7])
def test_events_come_back_as_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write, words: int
) -> None:
    monkeypatch.setattr(prophesee_raw, "_WORDS", words)
    events = some_events(0, n=1000)
    assert read(tmp_path, write(events)) == rows(events)


@pytest.mark.parametrize(
    ("write", "period_us"), [(evt2, 2**34), (evt3, 2**24)], ids=["EVT2", "EVT3"]
)
def test_time_goes_on_where_the_counter_begins_anew(tmp_path: Path, write, period_us: int) -> None:
    starts = [k * period_us - 30_000 for k in (1, 2, 3)]
    parts = [some_events(k, 100, start, start + 60_000) for k, start in enumerate(starts)]
    events = Events(*map(torch.cat, zip(*parts, strict=True)))
    came = read(tmp_path, write(events))
    assert came == rows(events)
    assert np.all(np.diff([t for t, *_ in came]) >= 0)


def test_evt2_by_hand(tmp_path: Path) -> None:
    on = 1 << 28 | 63 << 22 | 1279 << 11 | 719
    off = 0 << 28 | 0 << 22 | 0 << 11 | 5
    trigger, others, continued = 0xA << 28, 0xE << 28 | 3, 0xF << 28 | 1
    content = words_2(0x8 << 28 | 5, on, trigger, others, continued, 0x8 << 28 | 6, off)
    assert read(tmp_path, content) == [(5 * 64 + 63, 1279, 719, 1), (6 * 64, 0, 5, 0)]


def test_evt3_by_hand(tmp_path: Path) -> None:
    content = words_3(
        *(0x8001, 0x6002, 0x0005, 0x2803),  # t = 4098, y = 5, ON at 3
        *(0x3064, 0x4801, 0x5F81),  # OFF from 100: 100, 111; then 112, 119: bits 8-11 say nothing
        *(0xA101, 0x7000, 0xE012, 0xF003),  # a trigger and what cameras add
        *(0x2007, 0x5001),  # OFF at 7 does not move the vector: it goes on at 120
        *(0x8001, 0x2008),  # the high part again: the low part stays
        *(0x8002, 0x2009),  # another: it is 0 until it is said
        *(0x6001, 0x0806, 0x280A),  # y = 6, of the second camera
    )
    assert read(tmp_path, content) == [
        (4098, 3, 5, 1),
        *((4098, x, 5, 0) for x in (100, 111, 112, 119, 7, 120, 8)),
        (8192, 9, 5, 0),
        (8193, 10, 6, 1),
    ]


def test_events_before_the_first_time_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, words_3(0x6001, 0x0005, 0x2003, 0x8001, 0x0006, 0x2004)) == [
        (4096, 4, 6, 0)
    ]
    assert read(tmp_path, words_2(7, 0x8 << 28 | 1, 8)) == [(64, 0, 8, 0)]


def test_a_small_fall_of_time_is_a_fall(tmp_path: Path) -> None:
    came = read(tmp_path, words_3(0x8005, 0x0001, 0x2003, 0x8004, 0x2003))
    assert [t for t, *_ in came] == [5 * 4096, 4 * 4096]


@pytest.mark.parametrize("content", [EVT2, EVT3, words_3(0x8001), EVT3.replace(b"% end\n", b"")])
def test_a_recording_without_events_is_empty(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == []


@pytest.mark.parametrize(
    "header",
    [
        *(b"% evt 3.0\n", b"% evt 3\n% end\n", b"% format EVT3\n% end\n", b"% format EVT3.0\r\n"),
        b"% evt 3.0\n% plugin_name hal_plugin_gen4_fx3\n% \n% end\n",
    ],
)
def test_headers_of_other_software_are_read(tmp_path: Path, header: bytes) -> None:
    assert read(tmp_path, header + words_3(0x8001, 0x2003)[len(EVT3) :]) == [(4096, 3, 0, 0)]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty"),
        (b"\x01\x80\x03\x20", r"starts with b'\\x01\\x80\\x03 ', expected a header"),
        (b"% evt 3.0", "header at byte 0 has no end"),
        (b"% date 2023\n% end\n", "does not name the format"),
        (
            EVT3 + b"\x01\x80\x03",
            f"3 bytes follow the header of {len(EVT3)}, expected a multiple of 2",
        ),
        (EVT2 + bytes(6), f"6 bytes follow the header of {len(EVT2)}, expected a multiple of 4"),
        (
            words_3(0x8001, 0x9001),
            f"word at byte {len(EVT3) + 2} is 0x9001, of a type that is reserved",
        ),
        (words_2(0x8 << 28, 0x4 << 28), f"word at byte {len(EVT2) + 4} is 0x40000000"),
        (words_3(0x6001, 0x2003), "has events, but no word says the high part"),
        (words_3(0x8001, 0x2003, 0x2500), "x of event 1 is 1280, expected at most 1279"),
        (
            words_3(0x8001, 0x2003, 0x0000 | 720, 0x2003),
            "y of event 1 is 720, expected at most 719",
        ),
        (words_3(0x8001, 0x3000 | 1279, 0x5002), "x of event 0 is 1280"),
    ],
)
def test_a_damaged_recording_is_named(tmp_path: Path, content: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.raw: .*{text}"):
        read(tmp_path, content)


def test_a_vector_beyond_11_bits_is_named_without_geometry(tmp_path: Path) -> None:
    content = b"% evt 3.0\n" + words_3(0x8001, 0x3000 | 2047, 0x5002)[len(EVT3) :]
    with pytest.raises(ValueError, match=r"x of event 0 is 2048, expected at most 2047"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "line", [b"% evt 2.1\n", b"% format EVT21;height=720;width=1280\n", b"% format HISTO3D\n"]
)
def test_other_formats_are_named(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(NotImplementedError, match=r"a\.raw: .*only EVT 2\.0 and EVT 3\.0"):
        read(tmp_path, line + b"% end\n")
    with pytest.raises(NotImplementedError, match="big-endian"):
        read(tmp_path, b"% evt 3.0\n% endianness big\n")


def by_state(words: list[int]) -> list[Row]:
    """EVT 3.0 as its documentation tells it: one word after the other changes what holds."""
    high = words[0] & 0xFFF
    low = y = x_base = p_base = wraps = 0
    events: list[Row] = []
    for word in words:
        kind, value = word >> 12, word & 0xFFF
        t = (wraps << 24) + (high << 12) + low
        if kind == 0x8:
            wraps += value - high < -(2**11)
            low = low if value == high else 0
            high = value
        elif kind == 0x6:
            low = value
        elif kind == 0x0:
            y = value % 2**11
        elif kind == 0x2:
            events.append((t, value % 2**11, y, value >> 11))
        elif kind == 0x3:
            x_base, p_base = value % 2**11, value >> 11
        elif kind in (0x4, 0x5):
            width = 12 if kind == 0x4 else 8
            events += [(t, x_base + i, y, p_base) for i in range(width) if value >> i & 1]
            x_base += width
    return events


a_word = st.tuples(
    st.sampled_from([0x0, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x8, 0xA, 0xE, 0xF]),
    st.integers(0, 2**12 - 1),
).map(lambda word: word[0] << 12 | word[1])


@in_a_folder
@given(st.integers(0x8000, 0x8FFF), st.lists(a_word, max_size=60), st.integers(1, 9))
def test_any_words_are_what_a_machine_of_states_makes_of_them(
    tmp_path: Path, first: int, words: list[int], at_a_time: int
) -> None:
    words = [first, *words]
    content = b"% evt 3.0\n% end\n" + struct.pack(f"<{len(words)}H", *words)
    wanted = by_state(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prophesee_raw, "_WORDS", at_a_time)
        if any(x > 2047 for _, x, _, _ in wanted):
            with pytest.raises(ValueError, match="expected at most 2047"):
                read(tmp_path, content)
        else:
            assert read(tmp_path, content) == wanted


@in_a_folder
@given(st.sampled_from([EVT2, EVT3, b"", b"% evt 3.0\n", b"%"]), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_by_name(
    tmp_path: Path, header: bytes, content: bytes
) -> None:
    said = "a.raw"
    try:
        read(tmp_path, header + content)
    except (ValueError, NotImplementedError) as error:
        said = str(error)
    assert "a.raw" in said
