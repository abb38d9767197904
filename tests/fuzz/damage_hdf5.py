"""Ways to damage what an HDF5 file contains."""

import io
from contextlib import suppress
from random import Random
from typing import Any

from tests.fuzz.damage import in_bytes


def within_hdf5(content: bytes, draws: Random) -> bytes:
    """Half of the time as an edit of what the file contains."""
    if draws.random() < 0.5:
        return in_bytes(content, draws)
    return edited_hdf5(content, draws)


def edited_hdf5(content: bytes, draws: Random) -> bytes:
    """A plausible edit: the file stays one that h5py opens."""
    import h5py

    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        for _ in range(draws.randint(1, 2)):
            with suppress(
                KeyError, OSError, ValueError
            ):  # after one edit, another may find no place
                _edit(file, draws)
    return memory.getvalue()


def _edit(file: Any, draws: Random) -> None:
    import h5py

    places: list[str] = []
    file.visit(places.append)
    place = draws.choice(places)
    kind = draws.choice(
        ("other", "other", "values", "values", "size", "link", "name", "attribute", "copy")
    )
    if kind == "values" and hasattr(file[place], "dtype"):
        _spoil_values(file[place], draws)
    elif kind == "size":
        _declare(file, place, draws)
    elif kind == "link":
        links = (
            h5py.SoftLink("/"),
            h5py.SoftLink(place),
            h5py.ExternalLink("x.h5", "/"),
            file["/"],
        )
        del file[place]
        file[place] = draws.choice(links)
    elif kind == "name":
        file.move(place, draws.choice((place + "x", "\u00e9" + place[:2], "a b/" + place[-3:])))
    elif kind == "attribute":
        file[place].attrs[draws.choice(("CLASS", "type", "x" * 100))] = draws.choice(_others())
    elif kind == "copy":
        file.copy(place, place + "_again")
    else:
        del file[place]
        if draws.random() < 0.8:
            file[place] = draws.choice(_others())


def _others() -> list[Any]:
    """What may stand in the place of anything."""
    import h5py
    import numpy as np

    scalars = [np.float32(value) for value in (0.0, -1.0, float("nan"), float("inf"), 1e30)]
    arrays = [np.zeros(0), np.zeros((2, 3)), np.arange(5), np.array([["a", "b"]], "S1")]
    return [*scalars, *arrays, -1, 2**62, True, "LIF", b"\xff", "\x1b[31m", h5py.Empty("f4")]


def _spoil_values(part: Any, draws: Random) -> None:
    import numpy as np

    if part.nbytes > 2**20:  # after an edit that declares much
        return
    values = part[()]
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and values.size:
        number = draws.choice((0, -1, 1e-30, float("nan"), float("inf"), 1e30, 0.5))
        with np.errstate(all="ignore"):
            values.flat[draws.randrange(values.size)] = np.array(number).astype(values.dtype)
        part[...] = values
    elif isinstance(values, np.ndarray) and values.dtype == object and values.size:
        row = draws.choice((np.zeros(0), np.array([np.nan]), np.arange(9), np.full(3, 60_000)))
        vlen = part.dtype.metadata["vlen"]
        if vlen is str:  # the edges of a graph
            part[draws.randrange(len(values)), 0] = draws.choice(("input", "0", "nowhere", ""))
        else:
            with np.errstate(all="ignore"):
                part[draws.randrange(len(values))] = row.astype(vlen)
    elif isinstance(values, bytes):
        part[()] = draws.choice((b"LIF", b"", b"\xff\xfe", b"NIRGraph", b"Conv2d", b"Input"))


def _declare(file: Any, place: str, draws: Random) -> None:
    """Much is declared, little stored; or it is said to lie in another file."""
    del file[place]
    dtype = draws.choice(("f4", "u1", "i8"))
    options = draws.choice(
        (
            {"shape": (2**40,), "chunks": (1024,)},
            {"shape": (3,), "chunks": (2**28,), "maxshape": (None,)},
            {"shape": (2**26,), "chunks": (2**20,), "compression": "gzip", "fillvalue": 1},
            {"shape": (2**31, 2**31), "chunks": (1, 1024)},
            {"shape": (4,), "external": [("/etc/hostname", 0, 32)]},
        )
    )
    file.create_dataset(place, dtype=dtype, **options)
