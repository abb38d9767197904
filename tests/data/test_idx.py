"""IDX files: what is written comes back, and damage is named."""

import gzip
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest
import torch

from picojoule.data import load_images, read_idx


def idx_bytes(array: torch.Tensor) -> bytes:
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + bytes(array.flatten().tolist())


def write_mnist(folder: Path, train: int = 3, test: int = 2, zipped: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    for prefix, n in (("train", train), ("t10k", test)):
        images = (torch.arange(n * 28 * 28) % 251).to(torch.uint8).reshape(n, 28, 28)
        labels = (torch.arange(n) % 10).to(torch.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = folder / f"{prefix}-{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(content) if zipped else content)


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0,), (3, 0, 2)])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_array_comes_back_as_it_was_written(
    tmp_path: Path, shape: tuple[int, ...], zipped: bool
) -> None:
    array = torch.randint(0, 256, shape, dtype=torch.uint8)
    content = idx_bytes(array)
    (tmp_path / "file").write_bytes(gzip.compress(content) if zipped else content)
    assert torch.equal(read_idx(tmp_path / "file"), array)


def test_a_truncated_file_is_named_with_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(torch.zeros(2, 3, 4, dtype=torch.uint8))[:-5])
    with pytest.raises(
        ValueError, match=r"images: the header announces 2 x 3 x 4 = 24 bytes, but 19"
    ):
        read_idx(path)


@pytest.mark.parametrize("keep", [3, 6, 16])
def test_a_file_cut_within_its_header_is_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(torch.zeros(2, 3, 4, dtype=torch.uint8))[:keep])
    with pytest.raises(ValueError, match="images: "):
        read_idx(path)


def test_a_file_with_bytes_left_over_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(torch.zeros(4, dtype=torch.uint8)) + b"\0")
    with pytest.raises(ValueError, match="but more than 4 follow"):
        read_idx(path)


@pytest.mark.parametrize("cut", [12, -9, -1])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(torch.zeros(50, 28, 28, dtype=torch.uint8)))[:cut])
    with pytest.raises(ValueError, match=r"images\.gz: the gzip file is damaged"):
        read_idx(path)


GZIP_HEADER = gzip.compress(b"")[:10]


def test_a_gzip_file_of_no_known_block_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(GZIP_HEADER + b"\xff" * 400)
    with pytest.raises(ValueError, match=r"images\.gz: the gzip file is damaged"):
        read_idx(path)


def test_gzipped_noise_is_named(tmp_path: Path) -> None:
    # Some noise begins with a few bytes that can be unpacked: they are then read as those of another format.
    noise = random.Random(0)
    path = tmp_path / "images.gz"
    for _ in range(200):
        path.write_bytes(GZIP_HEADER + noise.randbytes(400))
        with pytest.raises(
            ValueError, match=r"images\.gz: (the gzip file is damaged|not an IDX file of bytes)"
        ):
            read_idx(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 a zip file", b"\0\0\x0d\1\0\0\0\0"])
def test_another_format_is_refused_by_its_first_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not an IDX file of bytes"):
        read_idx(path)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_four_files_loads(tmp_path: Path, zipped: bool) -> None:
    write_mnist(tmp_path, zipped=zipped)
    data = load_images(tmp_path)
    assert data.train.images.shape == (3, 28, 28)
    assert data.test.labels.tolist() == [0, 1]


def test_the_spelling_with_a_dot_loads_too(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(load_images(tmp_path).train.labels) == 3


def test_a_missing_file_is_named_with_what_is_there(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"t10k-labels-idx1-ubyte .*is missing; the folder holds t10k-images",
    ):
        load_images(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        load_images(tmp_path / "nowhere")


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(torch.zeros(7, dtype=torch.uint8)))
    with pytest.raises(ValueError, match=r"\(3, 28, 28\).*\(7,\)"):
        load_images(tmp_path)


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, test=0)
    with pytest.raises(ValueError, match="n >= 1"):
        load_images(tmp_path)


def bomb(header: bytes, zeros: int) -> bytes:
    """A gzip file of a header and zeros, a thousandth as long."""
    packed = zlib.compressobj(9, wbits=31)
    mebibyte = bytes(2**20)
    parts = [packed.compress(header), *(packed.compress(mebibyte) for _ in range(zeros >> 20))]
    return b"".join([*parts, packed.flush()])


def test_a_file_that_unfolds_too_far_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    sides = (2**20).to_bytes(4, "big") + (257).to_bytes(4, "big")
    path.write_bytes(bomb(b"\0\0\x08\2" + sides, 2**20))
    with pytest.raises(ValueError, match=r"images\.gz: .* 1048576 x 257 .*may hold 268,435,456"):
        read_idx(path)


def test_more_than_announced_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(bomb(b"\0\0\x08\1" + (5).to_bytes(4, "big"), 64 * 2**20))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"labels\.gz: .* = 5 bytes, but more than 5 follow"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("sides", [[2**32 - 1] * 8, [0, *[2**32 - 1] * 3], [2**31], [1] * 9])
def test_sides_that_no_file_has_are_refused(tmp_path: Path, sides: list[int]) -> None:
    path = tmp_path / "images"
    header = bytes([0, 0, 8, len(sides)]) + b"".join(side.to_bytes(4, "big") for side in sides)
    path.write_bytes(header + b"\0")
    with pytest.raises(ValueError, match="images: "):
        read_idx(path)
