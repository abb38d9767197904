"""NumPy's own files: whole numbers stay whole, and what a header declares is checked first."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from picojoule.data.npy import read_npy


def saved(path: Path, values: object) -> Path:
    np.save(path, values)
    return path


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        *(
            (name, torch.int64)
            for name in ("i1", "i2", "<i4", ">i4", "i8", "u1", "u2", ">u4", "u8")
        ),
        *((name, torch.float32) for name in ("f2", "f4", ">f4", "f8", "g")),
        ("?", torch.bool),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_shape_and_kind_are_kept(
    tmp_path: Path, dtype: str, wanted: torch.dtype, order: str
) -> None:
    values = np.asarray([[1, 0, 1], [1, 1, 0]], dtype, order=order)
    read = read_npy(saved(tmp_path / "a.npy", values))
    assert (read.dtype, read.tolist()) == (wanted, [[1, 0, 1], [1, 1, 0]])
    read.zero_()  # its memory is its own


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 1, 1, 1)])
def test_odd_shapes_are_kept(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert read_npy(saved(tmp_path / "a.npy", np.ones(shape))).shape == shape


@pytest.mark.parametrize("keep", [0, 5, 9, 60, 127, 130, -1])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path / "a.npy", np.arange(100))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"a\.npy: "):
        read_npy(path)


def test_a_file_with_bytes_left_over_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.arange(3))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"a\.npy: .* are 24 bytes, but 25 follow"):
        read_npy(path)


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}",
            "4398046511104 byt",
        ),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4)}", "none negative"),
        (f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {2**62}, 9)}}", "none negative"),
        (f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'1,' * 40})}}", "at most 32 sides"),
        (
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
            "holds object, expected numbers",
        ),
        ("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", "holds <U4, expected numbers"),
        ("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}", "expected numbers"),
        ("{'descr': '<f4', 'shape': (1,)}", "header is damaged"),
        ("(" * 5000, "header is damaged"),
        ("9" * 9000, "header is damaged"),
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(header(text) + bytes(16))
    with pytest.raises(ValueError, match=rf"a\.npy: .*{reason}"):
        read_npy(path)


def test_a_number_beyond_int64_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"number 1 is {2**64 - 1}"):
        read_npy(saved(tmp_path / "a.npy", np.array([1, 2**64 - 1], np.uint64)))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0), (126, 1)])
def test_a_long_header_takes_no_memory(tmp_path: Path, version: tuple[int, int]) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY" + bytes(version) + b"\xff\xff\xff\x2f{'descr': '<f4'")
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.npy: no \.npy file, or its header is damaged"):
        read_npy(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
