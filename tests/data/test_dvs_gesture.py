"""DVS128 Gesture in its own files: AEDAT 3.1, labels, lists of recordings."""

import struct
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from picojoule.data import Events, load_data
from picojoule.data.aedat import Aedat

HEADER = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
    b"#Start-Time: 2016-06-01 12:00:00 (TZ+0200)\r\n#!END-HEADER\r\n"
)


def packet(events: Events, overflows: int = 0, invalid: int = 0, spare: int = 0) -> bytes:
    """Polarity events as a packet; the first `invalid` are marked so, `spare` places stay empty."""
    n = len(events.t_us)
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, overflows, n + spare, n, n - invalid)
    rows = zip(*(column.tolist() for column in events), strict=True)
    body = b"".join(
        struct.pack("<Ii", x << 17 | y << 2 | p << 1 | (i >= invalid), t - (overflows << 31))
        for i, (t, x, y, p) in enumerate(rows)
    )
    return head + body + bytes(8 * spare)


OTHER_PACKET = struct.pack("<hhiiiiii", 0, 1, 12, 4, 0, 2, 2, 2) + b"\xff" * 24


def some_events(start_us: int, stop_us: int, n: int = 100) -> Events:
    generator = torch.Generator().manual_seed(start_us % 2**31)
    t_us = torch.randint(start_us, stop_us, (n,), generator=generator).sort().values
    x, y = torch.randint(0, 128, (2, n), generator=generator)
    return Events(t_us, x, y, torch.randint(0, 2, (n,), generator=generator))


def write_gestures(folder: Path) -> None:
    """Two recordings to train and one to test, three gestures each (classes 1, 2 and 11)."""
    for name in ("user01_fluorescent", "user02_led", "user24_natural"):
        events = some_events(0, 30_000, 600)
        parts = [Events(*(c[k : k + 50] for c in events)) for k in range(0, 600, 50)]
        content = HEADER + OTHER_PACKET + b"".join(map(packet, parts))
        (folder / f"{name}.aedat").write_bytes(content)
        (folder / f"{name}_labels.csv").write_text(
            "class,startTime_usec,endTime_usec\n1,0,9999\n2,10000,19999\n11,25000,29999\n"
        )
    (folder / "trials_to_train.txt").write_text("user01_fluorescent.aedat\nuser02_led.aedat\n")
    (folder / "trials_to_test.txt").write_text("user24_natural.aedat\n\n")


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    early, late = some_events(0, 1000), some_events(3 << 31, (3 << 31) + 1000)
    path = tmp_path / "a.aedat"
    path.write_bytes(HEADER + packet(early, spare=2) + OTHER_PACKET + packet(late, overflows=3))
    read = Aedat(path).events(0, 1 << 40)
    for column, first, second in zip(read, early, late, strict=True):
        assert torch.equal(column, torch.cat([first, second]))


def test_a_span_holds_its_start_and_not_its_stop(tmp_path: Path) -> None:
    t_us = torch.tensor([9, 10, 15, 19, 20])
    events = Events(t_us, t_us, t_us, t_us % 2)
    path = tmp_path / "a.aedat"
    path.write_bytes(HEADER + b"".join(packet(Events(*(c[[k]] for c in events))) for k in range(5)))
    assert Aedat(path).events(10, 20).t_us.tolist() == [10, 15, 19]
    assert Aedat(path).events(21, 30).t_us.tolist() == []


def test_invalid_events_are_none(tmp_path: Path) -> None:
    events = some_events(0, 1000)
    path = tmp_path / "a.aedat"
    path.write_bytes(HEADER + packet(events, invalid=30))
    assert torch.equal(Aedat(path).events(0, 1000).x, events.x[30:])


def test_a_recording_without_events_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.aedat").write_bytes(HEADER)
    assert len(Aedat(tmp_path / "a.aedat").events(0, 1000).t_us) == 0


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty"),
        (b"#!AER-DAT2.0\r\n", r"starts with b'#!AER-DAT2\.0.*expected b'#!AER-DAT3\.1'"),
        (HEADER[:-4], "its header has no end"),
        (HEADER + bytes(10), f"10 bytes follow at byte {len(HEADER)}, expected .* header of 28"),
        (HEADER + packet(some_events(0, 9))[:-3], "announces 100 events of 8 bytes, but 797 bytes"),
        (HEADER + b"\1\0\1\0" + b"\xff" * 24, "-1 of -1 events of -1 bytes"),
        (HEADER + struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 1, 2, 2) + bytes(8), "2 of 1 events"),
        (HEADER + struct.pack("<hhiiiiii", 1, 1, 4, 4, 0, 1, 1, 1) + bytes(8), "8 bytes in type 1"),
    ],
)
def test_a_damaged_recording_is_named(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "user01.aedat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"user01\.aedat: .*{text}"):
        Aedat(path)


def test_a_folder_loads_gesture_by_gesture(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    train, test = load_data(tmp_path, num_timesteps=4)
    assert train.labels.tolist() == [0, 1, 10, 0, 1, 10]
    assert test.labels.tolist() == [0, 1, 10]
    assert train.num_classes == 11
    t_us = some_events(0, 30_000, 600).t_us
    for (frames, _), (start, stop) in zip(
        (test[0], test[1], test[2]), ((0, 10_000), (10_000, 20_000), (25_000, 30_000)), strict=True
    ):
        assert frames.shape == (4, 2, 128, 128)
        assert frames.sum() == ((t_us >= start) & (t_us < stop)).sum()


def test_two_workers_give_what_none_gives(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    train = load_data(tmp_path, num_timesteps=2).train
    shared = torch.cat([frames for frames, _ in DataLoader(train, batch_size=2, num_workers=2)])
    alone = torch.cat([frames for frames, _ in DataLoader(train, batch_size=2)])
    assert torch.equal(alone, shared)


@pytest.mark.parametrize(
    "name", ["trials_to_test.txt", "user24_natural.aedat", "user02_led_labels.csv"]
)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_gestures(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing"):
        load_data(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "its first line is '', expected 'class,startTime_usec,endTime_usec'"),
        ("1,0,5\n", "its first line is '1,0,5'"),
        ("class,startTime_usec,endTime_usec\n1,0\n", "the line '1,0' is not three whole numbers"),
        ("class,startTime_usec,endTime_usec\nclap,0,5\n", "the line 'clap,0,5' is not three"),
        ("class,startTime_usec,endTime_usec\n12,0,5\n", "has class 12 .* expected a class of 1 to"),
        ("class,startTime_usec,endTime_usec\n0,0,5\n", "has class 0"),
        ("class,startTime_usec,endTime_usec\n1,9,5\n", "from 9 to 5 us"),
        ("class,startTime_usec,endTime_usec\n", "expected a line for each gesture, found none"),
    ],
)
def test_damaged_labels_are_named(tmp_path: Path, content: str, text: str) -> None:
    write_gestures(tmp_path)
    (tmp_path / "user02_led_labels.csv").write_text(content)
    with pytest.raises(ValueError, match=rf"user02_led_labels\.csv: .*{text}"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", ["trials_to_test.txt", "user02_led_labels.csv"])
@pytest.mark.parametrize("content", [b"class,start\xff\xfe\n1,0,5\n", b"class\0\xb3\n", b"a\0b\n"])
def test_a_list_or_labels_that_are_no_text_are_named(
    tmp_path: Path, name: str, content: bytes
) -> None:
    write_gestures(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*not plain text.* fetch it again"):
        load_data(tmp_path)


def test_labels_that_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    path = tmp_path / "user02_led_labels.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_data(tmp_path).train.labels.tolist() == [0, 1, 10, 0, 1, 10]


def test_an_empty_list_is_named(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    (tmp_path / "trials_to_test.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"trials_to_test\.txt: expected names of recordings"):
        load_data(tmp_path)


def test_an_event_outside_the_sensor_names_file_and_gesture(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    outside = Events(*torch.tensor([[1, 2], [127, 128], [0, 0], [0, 0]]))
    (tmp_path / "user01_fluorescent.aedat").write_bytes(HEADER + packet(outside))
    with pytest.raises(ValueError, match=r"fluorescent\.aedat from 0 to 10000 us: .* is 128"):
        load_data(tmp_path).train[0]


@pytest.mark.parametrize(
    "line", ["../user01_led.aedat", "/etc/hostname", "a/b.aedat", "x" * 300, "user02_led.aedat"]
)
def test_a_list_names_files_beside_it_once(tmp_path: Path, line: str) -> None:
    write_gestures(tmp_path)
    with (tmp_path / "trials_to_train.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"trials_to_train\.txt: it lists '.*expected the name"):
        load_data(tmp_path)


@pytest.mark.parametrize("row", ["1,-5,10", f"1,0,{2**62}", f"1,{10**30},{10**31}", "1,9,8"])
def test_times_that_no_recording_has_are_refused(tmp_path: Path, row: str) -> None:
    write_gestures(tmp_path)
    with (tmp_path / "user02_led_labels.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(ValueError, match=rf"user02_led_labels\.csv: the line '{row}'"):
        load_data(tmp_path)


def test_labels_that_are_no_table_are_named(tmp_path: Path) -> None:
    write_gestures(tmp_path)
    (tmp_path / "user02_led_labels.csv").write_text("a" * 200_000)
    with pytest.raises(ValueError, match=r"user02_led_labels\.csv: it is no table"):
        load_data(tmp_path)
