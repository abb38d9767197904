"""N-MNIST in its own files."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from picojoule.data import Events, load_data, read_n_mnist_events


def aer_40_bit(events: Events) -> bytes:
    """Bits 39-32 x, 31-24 y, 23 polarity, 22-0 microseconds, highest first."""
    words = [
        x << 32 | y << 24 | p << 23 | t
        for t, x, y, p in zip(*(column.tolist() for column in events), strict=True)
    ]
    return b"".join(word.to_bytes(5, "big") for word in words)


def some_events(seed: int, n: int = 200) -> Events:
    generator = torch.Generator().manual_seed(seed)
    t_us = torch.randint(0, 2**23, (n,), generator=generator).sort().values
    x, y = torch.randint(0, 34, (2, n), generator=generator)
    return Events(t_us, x, y, torch.randint(0, 2, (n,), generator=generator))


def write_n_mnist(folder: Path, train: int = 3, test: int = 2) -> None:
    """Samples of the digits 9, 8, 7, ...: sample i holds `some_events(i)`."""
    for half, n in (("Train", train), ("Test", test)):
        for i in range(n):
            path = folder / half / str(9 - i) / f"{i + 1:05}.bin"
            path.parent.mkdir(parents=True)
            path.write_bytes(aer_40_bit(some_events(i)))


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "00002.bin"
    path.write_bytes(aer_40_bit(some_events(0)))
    read = read_n_mnist_events(path)
    assert all(torch.equal(a, b) for a, b in zip(read, some_events(0), strict=True))


def test_row_240_lengthens_the_time_and_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "00002.bin"
    marked = Events(*torch.tensor([[5, 0, 6, 0, 7], [1, 0, 1, 0, 1], [2, 240, 2, 240, 2], [1] * 5]))
    path.write_bytes(aer_40_bit(marked))
    read = read_n_mnist_events(path)
    assert read.t_us.tolist() == [5, 6 + 8192, 7 + 2 * 8192]
    assert read.y.tolist() == [2, 2, 2]


@pytest.mark.parametrize("num_bytes", [0, 999])
def test_a_truncated_file_is_named(tmp_path: Path, num_bytes: int) -> None:
    path = tmp_path / "00002.bin"
    path.write_bytes(aer_40_bit(some_events(0))[:num_bytes])
    with pytest.raises(ValueError, match=rf"00002\.bin: {num_bytes} bytes came, expected a mult"):
        read_n_mnist_events(path)


def test_a_folder_loads_in_the_order_of_mnist(tmp_path: Path) -> None:
    write_n_mnist(tmp_path)
    train, test = load_data(tmp_path, num_timesteps=4)
    assert (len(train), len(test), train.num_classes) == (3, 2, 10)
    assert train.labels.tolist() == [9, 8, 7]
    frames, label = test[1]
    assert (frames.shape, label) == ((4, 2, 34, 34), 8)
    assert frames.sum() == 200


def test_two_workers_give_what_none_gives(tmp_path: Path) -> None:
    write_n_mnist(tmp_path)
    train = load_data(tmp_path).train
    alone = torch.cat([frames for frames, _ in DataLoader(train, batch_size=2)])
    shared = torch.cat([frames for frames, _ in DataLoader(train, batch_size=2, num_workers=2)])
    assert torch.equal(alone, shared)


def test_a_damaged_recording_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    write_n_mnist(tmp_path)
    (tmp_path / "Train" / "8" / "00002.bin").write_bytes(b"\0" * 7)
    train = load_data(tmp_path).train
    assert train[0][1] == 9
    with pytest.raises(ValueError, match=r"00002\.bin: 7 bytes came"):
        train[1]


def test_an_event_outside_the_sensor_names_its_file(tmp_path: Path) -> None:
    write_n_mnist(tmp_path)
    (tmp_path / "Train" / "8" / "00002.bin").write_bytes(bytes([34, 0, 0, 0, 0]))
    with pytest.raises(ValueError, match=r"00002\.bin: .*x of event 0 is 34, expected 0 to 33"):
        load_data(tmp_path).train[1]


@pytest.mark.parametrize("name", ["10", "00", "extra"])
def test_a_folder_that_is_no_digit_is_named(tmp_path: Path, name: str) -> None:
    write_n_mnist(tmp_path)
    (tmp_path / "Train" / "7").rename(tmp_path / "Train" / name)
    with pytest.raises(ValueError, match=f"expected 0 to 9, not '{name}'"):
        load_data(tmp_path)


def test_a_half_without_recordings_is_named(tmp_path: Path) -> None:
    write_n_mnist(tmp_path, test=0)
    (tmp_path / "Test").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Test: expected recordings such as 0/00002\.bin"):
        load_data(tmp_path)


def test_hidden_files_and_folders_are_no_recordings(tmp_path: Path) -> None:
    write_n_mnist(tmp_path)
    for name in ("Train/9/._00001.bin", "Train/.checkpoints/00009.bin", "._Train/0/00001.bin"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"Mac OS X")
    (tmp_path / "Train" / "9" / "00007.bin").mkdir()
    assert load_data(tmp_path).train.labels.tolist() == [9, 8, 7]
