"""One door to every file of events: its format is told by how it begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from picojoule.data.aedat import Aedat
from picojoule.data.aedat2 import read_aedat2
from picojoule.data.aedat4 import read_aedat4
from picojoule.data.event_columns import TimeUnit, check_time_unit
from picojoule.data.events import Events
from picojoule.data.n_mnist import read_n_mnist_events
from picojoule.data.npy_events import read_npy_events
from picojoule.data.prophesee import read_prophesee_header
from picojoule.data.prophesee_dat import read_dat
from picojoule.data.prophesee_raw import read_raw

_EVER = -(2**63), 2**63 - 1
_LAST_ROW = 239  # row 240 marks an overflow of the clock
_START_BYTES = 2**16


def read_events(
    path: str | Path,
    *,
    time_unit: TimeUnit | None = None,
    columns: Sequence[str] | None = None,
) -> Events:
    r"""Read the events of one recording, in any of the formats that cameras and data sets have.

        format                       begins with         ends in          described in `picojoule.data`
        NumPy array                  \x93NUMPY           .npy             npy_events
        Prophesee RAW, EVT 2 and 3   %, names a format   .raw             prophesee_raw, evt2, evt3
        Prophesee DAT, version 2     %, names none       .dat             prophesee_dat
        AEDAT 2.0 of a DVS128        #!AER-DAT2.0        .aedat           aedat2
        AEDAT 3.1                    #!AER-DAT3.1        .aedat           aedat
        AEDAT 4.0                    #!AER-DAT4.0        .aedat4          aedat4 (extra "events")
        40-bit address events        anything            .bin             n_mnist

    What a file begins with counts more than its ending. Events come in the file's order; where a camera's
    clock began anew, times go on.

    Args:
        path: the file.
        time_unit: "s", "ms", "us" or "ns", of the times in an `.npy` file, as in `as_events`; the other formats
            are in microseconds.
        columns: names of the columns of a matrix in an `.npy` file, such as ("t", "x", "y", "p").

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: AEDAT 4.0, and the package `aedat` is missing; the message names the extra.
        ValueError: its format is not known, the file is damaged, or `time_unit` or `columns` do not fit it. The
            message names the file, and where it is wrong.
        TypeError: a column of an `.npy` file is not of numbers.
        NotImplementedError: EVT 2.1, or another kind of a known format that is not read.

    Example:
        >>> path = getfixture("tmp_path") / "tap.npy"
        >>> np.save(path, np.array([(0.5, 3, 1, 1)], [("ts", "f8"), ("x", "u2"), ("y", "u2"), ("pol", "i1")]))
        >>> read_events(path, time_unit="s")
        Events(t_us=tensor([500000]), x=tensor([3]), y=tensor([1]), p=tensor([1]))
    """
    path = Path(path)
    check_time_unit(time_unit, "read_events")
    read = _reader(path)
    if read is read_npy_events:
        return read_npy_events(path, time_unit=time_unit, columns=columns)
    if time_unit not in (None, "us"):
        raise ValueError(
            f"{path}: its format counts in microseconds, and time_unit is {time_unit!r}. Leave it out."
        )
    if columns is not None:
        raise ValueError(f"{path}: its format has no columns to name. Leave columns out.")
    return read(path)


def _read_aedat3(path: Path) -> Events:
    return Aedat(path).events(*_EVER)


def _read_aer(path: Path) -> Events:
    """40-bit address events, which nothing marks: the rows must be those of a camera of them."""
    events = read_n_mnist_events(path)
    if (events.y > _LAST_ROW).any():
        at = int((events.y > _LAST_ROW).int().argmax())
        raise ValueError(
            f"{path}: y of event {at} is {events.y[at]}, expected at most {_LAST_ROW}, as in N-MNIST and N-Caltech101. It is "
            "no file of 40-bit address events, or damaged."
        )
    return events


_Read = Callable[[Path], Events]

_BEGINNINGS: dict[bytes, _Read] = {
    b"\x93NUMPY": read_npy_events,
    b"#!AER-DAT2.": read_aedat2,
    b"#!AER-DAT3.": _read_aedat3,
    b"#!AER-DAT4.": read_aedat4,
}
_ENDINGS: dict[str, _Read] = {
    ".npy": read_npy_events,
    ".raw": read_raw,
    ".dat": read_dat,
    ".aedat": _read_aedat3,
    ".aedat4": read_aedat4,
    ".bin": _read_aer,
}


def _reader(path: Path) -> _Read:
    """By the file's first bytes; by its ending where they tell nothing, which says what is wrong with them."""
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    for beginning, read in _BEGINNINGS.items():
        if start.startswith(beginning):
            return read
    if start.startswith(b"%") and path.suffix.lower() != ".bin":  # there, it is a column
        keywords = read_prophesee_header(np.frombuffer(start, np.uint8), path).values
        if not keywords.keys().isdisjoint(("evt", "format")):
            return read_raw
        return read_raw if path.suffix.lower() == ".raw" else read_dat
    if path.suffix.lower() not in _ENDINGS:
        raise ValueError(
            f"{path}: its format is not known: it starts with {start[:8]!r} and ends in {path.suffix!r}. Expected one of "
            f"{', '.join(_ENDINGS)}; pass other arrays to as_events."
        )
    return _ENDINGS[path.suffix.lower()]
