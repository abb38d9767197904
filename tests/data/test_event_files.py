"""The one door to files of events: every format by what it begins with; NumPy's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picojoule.data import Events, read_events
from tests.data.aedat4_file import aedat4, packet
from tests.data.prophesee_files import dat, evt2, evt3, rows, some_events
from tests.data.test_cifar10_dvs import dvs128
from tests.data.test_cifar10_dvs import some_events as of_a_dvs128
from tests.data.test_dvs_gesture import HEADER as AEDAT3
from tests.data.test_dvs_gesture import packet as packet_3
from tests.data.test_n_mnist import aer_40_bit
from tests.data.test_n_mnist import some_events as of_n_mnist


def npy(events: Events) -> bytes:
    fields = [("x", "<u2"), ("y", "<u2"), ("timestamp", "<i8"), ("polarity", "?")]
    given = np.zeros(len(events.t_us), fields)
    for name, column in zip(("timestamp", "x", "y", "polarity"), events, strict=True):
        given[name] = column
    return np_bytes(given)


def np_bytes(given: Any) -> bytes:
    from io import BytesIO

    file = BytesIO()
    np.save(file, given)
    return file.getvalue()


FORMATS: dict[str, tuple[Callable[[Events], bytes], Callable[[int], Events]]] = {
    "a.npy": (npy, some_events),
    "a.dat": (dat, some_events),
    "evt2.raw": (evt2, some_events),
    "evt3.raw": (evt3, some_events),
    "a2.aedat": (dvs128, of_a_dvs128),
    "a3.aedat": (lambda events: AEDAT3 + packet_3(events), some_events),
    "a.aedat4": (lambda events: aedat4(packet(events)), some_events),
    "a.bin": (aer_40_bit, of_n_mnist),
}

each = pytest.mark.parametrize("name", FORMATS)


@each
@pytest.mark.parametrize("ending", ["", ".txt"])
def test_every_format_is_told_by_its_begin(tmp_path: Path, name: str, ending: str) -> None:
    write, draw = FORMATS[name]
    if name == "a.bin":
        ending = ""  # nothing marks it but its ending
    if name == "a.aedat4":
        pytest.importorskip("aedat")
    path = tmp_path / (name + ending)
    path.write_bytes(write(draw(3)))
    assert rows(read_events(str(path))) == rows(draw(3))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "a.npy"])
def test_a_unit_and_columns_are_for_npy(tmp_path: Path, name: str) -> None:
    write, draw = FORMATS[name]
    path = tmp_path / name
    path.write_bytes(write(draw(3)))
    with pytest.raises(ValueError, match=rf"{name}: its format counts in microseconds"):
        read_events(path, time_unit="ms")
    with pytest.raises(ValueError, match=rf"{name}: its format has no columns to name"):
        read_events(path, columns=("t", "x", "y", "p"))


@each
@pytest.mark.parametrize("content", [b"", b"GIF89a", b"%", b"%%%%"])
def test_another_file_of_that_ending_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_events(path)


def test_an_unknown_format_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"ftypisom")
    with pytest.raises(
        ValueError, match=r"a\.mp4: its format is not known: it starts with b'ftypisom'"
    ):
        read_events(path)
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "none.raw")


def test_an_address_event_may_look_like_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"% \0\0\1")
    assert rows(read_events(path)) == [(1, 37, 32, 0)]


def test_other_bin_files_are_no_address_events(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes([1, 2, 0, 0, 1, 1, 241, 0, 0, 2]))
    with pytest.raises(
        ValueError, match=r"weights\.bin: y of event 1 is 241, expected at most 239"
    ):
        read_events(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<i8", "<u2", ">i4"])
def test_a_matrix_with_named_columns(tmp_path: Path, order: Any, dtype: str) -> None:
    matrix = np.array([[3, 1, 90, 0], [4, 2, 95, 1]], dtype, order=order)
    np.save(tmp_path / "a.npy", matrix)
    events = read_events(tmp_path / "a.npy", columns=("x", "y", "t", "p"))
    assert rows(events) == [(90, 3, 1, 0), (95, 4, 2, 1)]
    events.t_us.add_(1)  # theirs alone: the file stays as it is
    assert np.array_equal(np.load(tmp_path / "a.npy"), matrix)


def test_a_matrix_of_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, [[0.25, 3.0, 1.0, -1.0], [0.5, 4.0, 2.0, 1.0]])
    with pytest.raises(ValueError, match=r"a\.npy: t is float64 \(event 0: 0\.25\)"):
        read_events(path, columns=("t", "x", "y", "p"))
    events = read_events(path, columns=("t", "x", "y", "p"), time_unit="s")
    assert rows(events) == [(250_000, 3, 1, 0), (500_000, 4, 2, 1)]


@pytest.mark.parametrize(
    "given", [np.zeros((0, 4), int), np.zeros(0, [(n, "<i8") for n in "txyp"])]
)
def test_none_are_none(tmp_path: Path, given: Any) -> None:
    np.save(tmp_path / "a.npy", given)
    columns = ("t", "x", "y", "p") if given.ndim == 2 else None
    assert rows(read_events(tmp_path / "a.npy", columns=columns)) == []


@pytest.mark.parametrize(
    ("given", "columns", "text"),
    [
        (np.zeros((3, 4)), None, r"an array of shape \(3, 4\) without names"),
        (np.zeros((3, 4)), ("t", "x", "y"), r"shape \(3, 4\), and columns are \('t', 'x', 'y'\)"),
        (np.zeros((3, 4)), ("t", "x", "y", "y"), "every name once"),
        (np.zeros(4), ("t", "x", "y", "p"), r"shape \(4,\), and columns"),
        (np.zeros((3, 4), int), ("t", "x", "y", "weight"), "no field for p among t, x, y, weight"),
        (np.zeros(3, [("t", int), ("x", int)]), None, "no field for y, p among t, x"),
        (np.zeros(3, [(n, int) for n in "txyp"]), ("t", "x", "y", "p"), "are named already"),
        (np.zeros((3, 1), [(n, int) for n in "txyp"]), None, r"shape \(3, 1\), expected \(n,\)"),
        (np.zeros(3, [("t", int, 2), *((n, int) for n in "xyp")]), None, r"t has shape \(3, 2\)"),
    ],
)
def test_an_array_of_something_else_is_told(
    tmp_path: Path, given: Any, columns: Any, text: str
) -> None:
    np.save(tmp_path / "a.npy", given)
    with pytest.raises(ValueError, match=rf"a\.npy: .*{text}"):
        read_events(tmp_path / "a.npy", columns=columns)


def test_what_needs_pickle_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(2, [("t", object), ("x", int), ("y", int), ("p", int)]))
    with pytest.raises(ValueError, match=r"a\.npy: holds .*expected numbers"):
        read_events(tmp_path / "a.npy")
