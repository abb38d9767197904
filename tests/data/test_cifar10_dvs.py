"""CIFAR10-DVS in its own files: AEDAT 2.0 of a DVS128, a folder a class, no official split."""

import struct
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from picojoule.data import Events, load_cifar10_dvs, load_data
from picojoule.data.aedat2 import read_aedat2
from picojoule.data.cifar10_dvs import CLASSES

HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n#End Of ASCII Header\r\n"


def dvs128(events: Events) -> bytes:
    """As the camera sent them: column 127 - y, row 127 - x, bit 0 set for OFF."""
    rows = zip(*(column.tolist() for column in events), strict=True)
    return HEADER + b"".join(
        struct.pack(">II", (127 - x) << 8 | (127 - y) << 1 | (1 - p), t % 2**32)
        for t, x, y, p in rows
    )


def some_events(seed: int, n: int = 50) -> Events:
    generator = torch.Generator().manual_seed(seed)
    t_us = torch.randint(0, 1_300_000, (n,), generator=generator).sort().values
    x, y = torch.randint(0, 128, (2, n), generator=generator)
    return Events(t_us, x, y, torch.randint(0, 2, (n,), generator=generator))


def write_cifar10_dvs(folder: Path, recordings: int = 2) -> None:
    """Recording i of class c holds `some_events(100 * c + i)`."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for i in range(recordings):
            path = folder / name / f"cifar10_{name}_{i}.aedat"
            path.write_bytes(dvs128(some_events(100 * label + i)))


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "cifar10_cat_3.aedat"
    path.write_bytes(dvs128(some_events(0)))
    read = read_aedat2(path)
    assert all(torch.equal(a, b) for a, b in zip(read, some_events(0), strict=True))


def test_one_event_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "cifar10_cat_3.aedat"
    address = 0b0_0000011_0000010_1  # b = 3, a = 2, OFF
    path.write_bytes(HEADER + address.to_bytes(4, "big") + (258).to_bytes(4, "big"))
    assert [column.tolist() for column in read_aedat2(path)] == [[258], [124], [125], [0]]


def test_time_goes_on_where_32_bits_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "cifar10_cat_3.aedat"
    t_us = torch.tensor([2**32 - 10, 2**32 - 12, 2**32 + 5, 2**32 + 7])
    path.write_bytes(dvs128(Events(t_us, *some_events(0, 4)[1:])))
    assert read_aedat2(path).t_us.tolist() == t_us.tolist()


def test_a_pulse_on_the_plug_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "cifar10_cat_3.aedat"
    path.write_bytes(dvs128(some_events(0)) + struct.pack(">II", 0x8000, 5))
    assert torch.equal(read_aedat2(path).x, some_events(0).x)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"no AEDAT 2\.0 file; it starts with b''"),
        (b"#!AER-DAT3.1\r\n", r"starts with b'#!AER-DAT3\.1"),
        (HEADER, "0 bytes follow the header of 66, expected a multiple of 8"),
        (b"#!AER-DAT2.0", "0 bytes follow the header of 12"),
        (HEADER + bytes(12), "12 bytes follow"),
        (
            HEADER + bytes(8) + struct.pack(">II", 0x10000, 5),
            "event 1 is 0x10000, expected at most",
        ),
    ],
)
def test_a_damaged_recording_is_named(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "cifar10_cat_3.aedat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"cifar10_cat_3\.aedat: .*{text}"):
        read_aedat2(path)


def test_a_folder_is_told_by_its_files_and_split_by_number(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path, recordings=11)  # by name, 10 would come before 2
    train, test = load_data(tmp_path, num_timesteps=4)
    assert train.labels.tolist() == [label for label in range(10) for _ in range(9)]
    assert test.labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert (train.num_classes, test.num_classes) == (10, 10)
    frames, label = test[7]  # recording 10 of cat, class 3
    assert (frames.shape, label, frames.sum()) == ((4, 2, 128, 128), 3, 50)
    wanted = torch.zeros(2, 128, 128)
    for _, x, y, p in zip(*some_events(310), strict=True):
        wanted[p, y, x] += 1
    assert torch.equal(frames.sum(0), wanted)


def test_a_thousand_recordings_are_900_and_100(tmp_path: Path) -> None:
    for name in CLASSES:
        (tmp_path / name).mkdir()
        for i in range(1000 if name == "cat" else 10):
            (tmp_path / name / f"cifar10_{name}_{i}.aedat").touch()
    train, test = load_cifar10_dvs(tmp_path)
    assert (train.labels == 3).sum() == 900
    numbers = [int(path.stem.split("_")[2]) for path in test.recordings.paths if "cat" in path.stem]
    assert numbers == list(range(900, 1000))


def test_two_workers_give_what_none_gives(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path)
    train = load_data(tmp_path).train
    alone = torch.cat([frames for frames, _ in DataLoader(train)])
    shared = torch.cat([frames for frames, _ in DataLoader(train, num_workers=2)])
    assert torch.equal(alone, shared)


def test_hidden_files_are_no_recordings(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path)
    (tmp_path / "frog" / "._cifar10_frog_0.aedat").write_bytes(b"Mac OS X")
    train, test = load_data(tmp_path)
    assert (len(train), len(test)) == (10, 10)


def test_a_fault_of_the_folder_is_named(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path)
    dog = tmp_path / "dog"
    (dog / "notes.aedat").touch()
    with pytest.raises(ValueError, match=r"notes\.aedat: its name ends in no number"):
        load_data(tmp_path)
    (dog / "notes.aedat").rename(dog / "copy_1.aedat")
    with pytest.raises(ValueError, match="have the same number"):
        load_data(tmp_path)
    (dog / "copy_1.aedat").unlink()
    (dog / "cifar10_dog_1.aedat").unlink()
    with pytest.raises(ValueError, match="dog: holds one recording, expected at least two"):
        load_data(tmp_path)
    (dog / "cifar10_dog_0.aedat").unlink()
    with pytest.raises(FileNotFoundError, match=r"dog: expected recordings such as cifar10_dog_0"):
        load_data(tmp_path)


def test_a_damaged_recording_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path)
    (tmp_path / "airplane" / "cifar10_airplane_0.aedat").write_bytes(HEADER + bytes(7))
    train = load_data(tmp_path).train
    assert train[1][1] == 1
    with pytest.raises(ValueError, match=r"cifar10_airplane_0\.aedat: 7 bytes follow"):
        train[0]
