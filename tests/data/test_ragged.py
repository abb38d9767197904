"""Ragged HDF5 rows: what h5py wrote comes back, and a damaged reference or heap ends in its message."""

import struct
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from picojoule.data.ragged import RaggedRows

STORED: list[dict[str, Any]] = [
    *({}, {"chunks": (3,)}, {"chunks": (3,), "compression": "gzip"}, {"maxshape": (None,)}),
    {"chunks": (3,), "compression": "gzip", "shuffle": True},
]
LENGTHS = [0, 1, 3, 2, 5000, 700, 0, 40]  # the long one fills a heap of its own
# the first word of a row's reference, of 16 bytes, is its length
LONG = struct.pack("<I", 2**31 - 1)


def row_of(index: int, dtype: str) -> np.ndarray:
    return (np.arange(LENGTHS[index]) % 100 + index).astype(dtype)


def write(
    path: Path, dtype: str = "<u2", file: dict[str, Any] | None = None, **options: Any
) -> None:
    """Row i is i, i + 1, ...; row 6 is never written."""
    with h5py.File(path, "w", **(file or {})) as opened:
        part = opened.create_dataset("a/rows", (8,), h5py.vlen_dtype(np.dtype(dtype)), **options)
        for index in range(8):
            if index != 6:
                part[index] = row_of(index, dtype)


def read(path: Path) -> RaggedRows:
    with h5py.File(path) as file:
        return RaggedRows(path, file["a/rows"])


@pytest.mark.parametrize("options", STORED)
@pytest.mark.parametrize("dtype", ["<u2", ">f2", "<f8", ">i4", "u1"])
def test_rows_come_back_as_they_were_written(
    tmp_path: Path, options: dict[str, Any], dtype: str
) -> None:
    path = tmp_path / "a.h5"
    write(path, dtype, **options)
    rows = read(path)
    assert len(rows) == 8
    for index in range(8):
        assert rows[index].dtype == np.dtype(dtype)
        assert np.array_equal(rows[index], row_of(index, dtype))


@pytest.mark.parametrize("file", [{"userblock_size": 512}, {"libver": "latest"}])
def test_files_of_another_kind_are_read(tmp_path: Path, file: dict[str, Any]) -> None:
    write(tmp_path / "a.h5", file=file)
    assert np.array_equal(read(tmp_path / "a.h5")[4], row_of(4, "<u2"))


def test_a_row_written_twice_is_the_last(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path)
    with h5py.File(path, "a") as file:
        file["a/rows"][2] = np.array([9, 8], np.uint16)
    assert read(path)[2].tolist() == [9, 8]


def spoil(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize(
    ("field", "content", "text"),
    [
        (0, LONG, r"row 2 declares 2147483647 numbers of uint16, but 6 bytes"),
        (0, struct.pack("<I", 2), r"row 2 declares 2 numbers of uint16, but 6 bytes"),
        (4, bytes(8), "row 2 is not where it is said to be, in a sound heap at byte 0"),
        (
            4,
            b"\xff" * 8,
            f"row 2 is not where it is said to be, in a sound heap at byte {2**64 - 1}",
        ),
        (12, LONG, "row 2 is not where it is said to be"),
        (12, bytes(4), "row 2 is not where it is said to be"),
    ],
)
def test_a_damaged_reference_is_named(
    tmp_path: Path, field: int, content: bytes, text: str
) -> None:
    path = tmp_path / "a.h5"
    write(path)
    with h5py.File(path) as file:
        at = file["a/rows"].id.get_offset() + 2 * 16
    spoil(path, at + field, content)
    with pytest.raises(ValueError, match=rf"a\.h5: a/rows: {text}"):
        read(path)[2]


@pytest.mark.parametrize("options", STORED[1:])
def test_a_damaged_reference_in_a_chunk_is_named(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.h5"
    write(path, **options)
    with h5py.File(path, "a") as file:
        part = file["a/rows"]
        chunk = np.frombuffer(LONG + bytes(16 * part.chunks[0] - 4), np.uint8).reshape(-1, 16)
        stored = (chunk.T if part.shuffle else chunk).tobytes()
        part.id.write_direct_chunk((0,), zlib.compress(stored) if part.compression else stored)
    rows = read(path)
    assert len(rows[1]) == 0
    with pytest.raises(ValueError, match=r"a\.h5: a/rows: row 0 is not where it is said to be"):
        rows[0]


def outcome(rows: RaggedRows, index: int) -> int | str:
    try:
        return len(rows[index])
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("value", [0, 1, 0x400, 2**31, 2**32 - 1])
def test_no_damage_of_a_heap_is_endless(tmp_path: Path, value: int) -> None:
    path = tmp_path / "a.h5"
    write(path)
    rows, content = read(path), path.read_bytes()
    start = content.index(b"GCOL")
    for at in range(start, start + 200, 4):
        path.write_bytes(content[:at] + struct.pack("<I", value) + content[at + 4 :])
        for index in range(8):
            length = outcome(rows, index)
            assert length == LENGTHS[index] or f"a.h5: a/rows: row {index} " in str(length)


def test_floats_of_16_bits_as_other_programs_describe_them(tmp_path: Path) -> None:
    described = h5py.h5t.IEEE_F32LE.copy()  # as PyTables does, which wrote the published files
    described.set_fields(15, 10, 5, 0, 10)
    described.set_size(2)
    described.set_ebias(15)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((2,))
        part = h5py.h5d.create(
            file.create_group("a").id, b"rows", h5py.h5t.vlen_create(described), space
        )
        h5py.Dataset(part)[1] = np.array([0.5, 1.25], np.float16)
    assert read(path)[1].tolist() == [0.5, 1.25]


def test_numbers_of_odd_bits_are_named(tmp_path: Path) -> None:
    odd = h5py.h5t.STD_U16LE.copy()
    odd.set_precision(12)
    odd.set_offset(2)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((2,))
        h5py.h5d.create(file.create_group("a").id, b"rows", h5py.h5t.vlen_create(odd), space)
    with pytest.raises(ValueError, match=r"a\.h5: a/rows .*the numbers are not stored as uint16"):
        read(path)


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        (h5py.string_dtype(), "expected a ragged row of numbers"),
        (h5py.vlen_dtype(h5py.string_dtype()), "expected a ragged row of numbers"),
        (h5py.vlen_dtype(np.dtype("c8")), "expected a ragged row of numbers"),
        (np.dtype("f4"), "float32, expected a ragged row of numbers"),
    ],
)
def test_what_is_no_row_of_numbers_is_named(tmp_path: Path, dtype: Any, text: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a/rows", (8,), dtype)
    with pytest.raises(ValueError, match=rf"a\.h5: a/rows is .*{text}"):
        read(path)


def test_an_unknown_filter_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", chunks=(3,), compression="lzf")
    with pytest.raises(ValueError, match=r"a\.h5: a/rows .*filter 32000 is not known"):
        read(tmp_path / "a.h5")
