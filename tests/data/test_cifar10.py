"""CIFAR-10's files: both versions give the same, and a hostile pickle runs nothing."""

import os
import pickle
import struct
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from picojoule.data import load_cifar10, load_data

NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def some_batch(number: int, n: int = 2) -> tuple[np.ndarray, list[int]]:
    draws = np.random.Generator(np.random.PCG64(number))
    return draws.integers(0, 256, (n, 3072), np.uint8), draws.integers(0, 10, n).tolist()


def python_2_pickle(images: np.ndarray, labels: Sequence[int]) -> bytes:
    """A batch as Python 2 wrote the published ones, opcode by opcode (protocol 2)."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value  # SHORT_BINSTRING

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)  # BININT

    def called(name: bytes, arguments: bytes, state: bytes) -> bytes:
        return b"c%s\n(%stR(%stb" % (name, arguments, state)

    dtype = called(
        b"numpy\ndtype",
        text(b"u1") + number(0) + number(1),
        number(3) + text(b"|") + b"NNN" + number(-1) * 2 + number(0),
    )
    shape, content = b"".join(map(number, images.shape)), images.tobytes()
    array = called(
        b"numpy.core.multiarray\n_reconstruct",
        b"cnumpy\nndarray\n(%st%s" % (number(0), text(b"b")),
        b"%s(%st%s\x89T%s%s" % (number(1), shape, dtype, struct.pack("<i", len(content)), content),
    )
    members = text(b"batch_label") + text(b"training batch 1 of 5") + text(b"data") + array
    members += text(b"labels") + b"](" + b"".join(map(number, labels)) + b"e"
    return b"\x80\x02}(" + members + b"u."


def write_cifar10(folder: Path, version: str = "python") -> None:
    for number, name in enumerate(NAMES):
        images, labels = some_batch(number)
        if version == "binary":
            records = np.column_stack([np.array(labels, np.uint8), images])
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        elif version == "python":
            (folder / name).write_bytes(python_2_pickle(images, labels))
        else:
            content = {b"data": images, b"labels": labels}
            (folder / name).write_bytes(pickle.dumps(content, protocol=int(version)))


@pytest.mark.parametrize("version", ["python", "binary", "3", "4"])
def test_images_and_labels_come_back_as_they_were_written(tmp_path: Path, version: str) -> None:
    write_cifar10(tmp_path, version)
    data = load_cifar10(tmp_path)
    assert data.train.images.shape == (10, 3, 32, 32)
    for number in range(5):
        images, labels = some_batch(number)
        part = slice(2 * number, 2 * number + 2)
        assert torch.equal(data.train.images[part].flatten(1), torch.from_numpy(images))
        assert data.train.labels[part].tolist() == labels
    images, labels = some_batch(5)
    assert torch.equal(data.test.images.flatten(1), torch.from_numpy(images))
    assert data.test.labels.tolist() == labels


def test_numpys_own_unpickler_reads_the_files_that_these_tests_write() -> None:
    images, labels = some_batch(0)
    read = pickle.loads(python_2_pickle(images, labels), encoding="bytes")
    assert np.array_equal(read[b"data"], images)
    assert read[b"labels"] == labels


def test_an_array_in_fortrans_order_is_read_as_it_is(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "4")
    images, labels = some_batch(0)
    content = {b"data": np.asfortranarray(images), b"labels": labels}
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    assert torch.equal(load_cifar10(tmp_path).train.images[:2].flatten(1), torch.from_numpy(images))


@pytest.mark.parametrize("version", ["python", "binary"])
def test_a_folder_is_told_by_its_files_and_gives_colour_frames(
    tmp_path: Path, version: str
) -> None:
    write_cifar10(tmp_path, version)
    train, test = load_data(tmp_path, num_timesteps=3)
    assert (len(train), len(test), test[1][0].shape) == (10, 2, (3, 3, 32, 32))


class Hostile:
    """Pickles as a call of a function of its choice."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.mkdir, "mkdir"), (eval, "eval"), (np.load, "load"), (getattr, "getattr")],
)
def test_a_hostile_pickle_runs_nothing(
    tmp_path: Path, protocol: int, function: object, name: str
) -> None:
    write_cifar10(tmp_path)
    trap = tmp_path / "trap"
    content = {"data": Hostile(function, str(trap)), "labels": [1]}
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(ValueError, match=rf"data_batch_3: .*it asks for \S*{name}"):
        load_cifar10(tmp_path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"cnumpy\ndtype\n}S'__call__'\nI1\nsb",  # BUILD: changes attributes of what was found
        b"cnumpy\nndarray\n)\x81",  # NEWOBJ: makes one without calling it
        b"cnumpy\ndtype.__class__\n(tR",  # a dotted name climbs from what is admitted
        b"cnumpy.os\nsystem\n(S'true'\ntR",
    ],
)
def test_no_opcode_gets_around_the_list(tmp_path: Path, attack: bytes) -> None:
    write_cifar10(tmp_path)
    batch = b"\x80\x02}(U\x04data" + attack + b"U\x06labels](K\x01eu."
    (tmp_path / "data_batch_1").write_bytes(batch)
    with pytest.raises(ValueError, match="data_batch_1: "):
        load_cifar10(tmp_path)
    assert load_cifar10(write_beside(tmp_path)).train.labels.shape == (10,)


def write_beside(folder: Path) -> Path:
    """A sound copy of the data set: reading it shows that an attack left nothing behind."""
    beside = folder / "beside"
    beside.mkdir()
    write_cifar10(beside)
    return beside


@pytest.mark.parametrize("keep", [0, 1, 40, 3000, -1])
def test_a_truncated_pickle_is_named(tmp_path: Path, keep: int) -> None:
    write_cifar10(tmp_path)
    path = tmp_path / "test_batch"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="test_batch: not a pickle of CIFAR-10, or a damaged one"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("keep", [0, 3072, 3074])
def test_a_truncated_binary_is_named(tmp_path: Path, keep: int) -> None:
    write_cifar10(tmp_path, "binary")
    path = tmp_path / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=rf"data_batch_2\.bin: {keep} bytes came, .* of 3073"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([1, 2], "holds a list, expected a dict"),
        ({b"fine_labels": [1]}, "expected b'data', b'labels', not b'fine_labels'"),
        ({b"data": some_batch(0)[0], b"labels": [1]}, r"shape \(2, 3072\) and there are 1 labels"),
        ({b"data": some_batch(0)[0], b"labels": [1, 10]}, "label of image 1 is 10, expected 0 to"),
        ({b"data": some_batch(0)[0], b"labels": [1, -1]}, "a label is not 0 to 9"),
        ({b"data": some_batch(0)[0], b"labels": [1, "2"]}, "a label is not 0 to 9"),
        ({b"data": some_batch(0)[0] / 255, b"labels": [1, 2]}, "its dtype is 'f8', expected 'u1'"),
        ({b"data": np.uint8, b"labels": [1, 2]}, "it asks for numpy.uint8"),
        ({b"data": np.ndarray, b"labels": [1, 2]}, "b'data' is no array of bytes"),
    ],
)
def test_a_pickle_of_something_else_is_named(tmp_path: Path, content: object, text: str) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    with pytest.raises(ValueError, match=rf"data_batch_1: .*{text}"):
        load_cifar10(tmp_path)


def test_a_label_beyond_9_is_named_in_the_binary_version(tmp_path: Path) -> None:
    write_cifar10(tmp_path, "binary")
    (tmp_path / "test_batch.bin").write_bytes(bytes(3073) + bytes([11]) + bytes(3072))
    with pytest.raises(ValueError, match=r"test_batch\.bin: the label of image 1 is 11"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", ["data_batch_4", "test_batch"])
def test_a_missing_batch_is_named(tmp_path: Path, name: str) -> None:
    write_cifar10(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing"):
        load_data(tmp_path)


def nested(times: int) -> bytes:
    """A tuple that holds a tuple twice, and so on: its hash, as a key, takes 2^times steps."""
    return b")" + b"".join(b"q%c" % i + b"h%c" % i + b"\x86" for i in range(times))


def declared(code: bytes, size: bytes) -> bytes:
    return code + size + b"abc."


@pytest.mark.parametrize(
    "attack",
    [
        b"}" + b"r" + struct.pack("<I", 2**31 - 1) + b".",  # a place in the memo
        declared(b"B", struct.pack("<I", 2**32 - 1)),  # BINBYTES
        declared(b"\x8e", struct.pack("<Q", 2**40)),  # BINBYTES8
        declared(b"\x96", struct.pack("<Q", 2**40)),  # BYTEARRAY8
        declared(b"X", struct.pack("<I", 2**32 - 1)),  # BINUNICODE
        declared(b"\x8b", struct.pack("<i", 2**31 - 1)),  # LONG4
        declared(b"\x95", struct.pack("<Q", 2**40)),  # FRAME
        declared(b"T", struct.pack("<i", -1)),  # BINSTRING of a negative length
        b"}" + nested(60) + b"Ns.",
        b"}(" + nested(60) + b"Nu.",
        b"(" + nested(60) + b"Nd.",
        b"I" + b"9" * 10_000 + b"\n.",
    ],
)
def test_what_a_pickle_declares_is_not_believed(tmp_path: Path, attack: bytes) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x04" + attack)
    tracemalloc.start()
    with pytest.raises(ValueError, match="data_batch_1: "):
        load_cifar10(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
