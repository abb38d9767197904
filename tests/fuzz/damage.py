"""Ways to damage a file: in its bytes, in its text, and in what an HDF5 file contains."""

import io
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

Damage = Callable[[bytes, Random], bytes]

_EXTREMES = (
    0,
    1,
    0x7F,
    0xFF,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)
_NOT_FINITE = (
    *(struct.pack("<e", value) for value in (float("nan"), float("inf"))),
    *(struct.pack("<f", value) for value in (float("nan"), float("-inf"))),
    *(struct.pack("<d", value) for value in (float("nan"), 1e308)),
)
_WORDS = (
    *("0", "-1", "1", "2147483648", "9223372036854775808", "9" * 400, "9" * 5000, "1e999", "-0.0"),
    *("nan", "inf", ".inf", ".nan", "0x10", "0o17", "1_000", "1:30:00", "2026-01-01", "true"),
    *(
        "null",
        "~",
        "",
        " ",
        "'",
        '"',
        "[]",
        "{}",
        "[[[[[[",
        "{{{{",
        "()",
        "&a [*a]",
        "*b",
        "!!int x",
    ),
    *(
        "!!python/object/apply:os.getpid []",
        "<<: *a",
        "%TAG",
        "---",
        "\0",
        "\x1b[31m",
        "é",
        "\ud800",
    ),
    *("x" * 5000, "../x", "/etc/hostname", "[/x]", "\r", "\n", "\t", ",", ":", "-", "#"),
)


def flip_bits(content: bytes, draws: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draws.randint(1, 8)):
        changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
    return bytes(changed)


def flip_bits_at_the_start(content: bytes, draws: Random) -> bytes:
    end = draws.choice((16, 128))
    return flip_bits(content[:end], draws) + content[end:]


def cut_short(content: bytes, draws: Random) -> bytes:
    return content[: draws.randrange(len(content))]


def empty(content: bytes, draws: Random) -> bytes:
    return b""


def insert(content: bytes, draws: Random) -> bytes:
    at = draws.randrange(len(content))
    return content[:at] + draws.randbytes(draws.choice((1, 2, 4, 100))) + content[at:]


def leave_out(content: bytes, draws: Random) -> bytes:
    at = draws.randrange(len(content))
    return content[:at] + content[at + draws.choice((1, 2, 4, 8, 100)) :]


def extreme_field(content: bytes, draws: Random) -> bytes:
    size = draws.choice((1, 2, 4, 8))
    end = draws.choice((8, 64, 512, len(content)))
    at = draws.randrange(max(min(end, len(content)) - size, 0) + 1) // size * size
    value = draws.choice(_EXTREMES) % 2 ** (8 * size)
    field = value.to_bytes(size, draws.choice(("little", "big")))
    return content[:at] + field + content[at + size :]


def not_finite(content: bytes, draws: Random) -> bytes:
    at = draws.randrange(len(content)) // 8 * 8
    number = draws.choice(_NOT_FINITE)
    return content[:at] + number + content[at + len(number) :]


def swap_blocks(content: bytes, draws: Random) -> bytes:
    size = draws.choice((1, 4, 8, 16, 64))
    a, b = sorted(draws.randrange(max(len(content) - size, 1)) for _ in range(2))
    if b - a < size:
        return content[::-1]
    return (
        b"".join(
            (content[:a], content[b : b + size], content[a + size : b], content[a : a + size]),
        )
        + content[b + size :]
    )


def overwrite_block(content: bytes, draws: Random) -> bytes:
    at, size = draws.randrange(len(content)), draws.choice((4, 32, 256))
    byte = draws.choice((b"\0", b"\xff", b" ", b"#"))
    return content[:at] + byte * min(size, len(content) - at) + content[at + size :]


def wrong_magic(content: bytes, draws: Random) -> bytes:
    size = draws.choice((2, 4, 8))
    return (
        draws.choice((draws.randbytes(size), b"\x1f\x8b\x08\0", b"PK\3\4", b"\x89HDF"))
        + content[size:]
    )


def repeat(content: bytes, draws: Random) -> bytes:
    at = draws.randrange(len(content))
    return content + content[at:]


BYTES: tuple[Damage, ...] = (
    *(flip_bits, flip_bits_at_the_start, cut_short, empty, insert, leave_out, extreme_field),
    *(extreme_field, not_finite, swap_blocks, overwrite_block, wrong_magic, repeat),
)


def other_word(content: bytes, draws: Random) -> bytes:
    """A number, a name or a mark replaced by another word."""
    found = list(re.finditer(rb"[A-Za-z0-9_.+-]+|[^\sA-Za-z0-9_.+-]", content))
    if not found:
        return content
    spot = draws.choice(found)
    word = draws.choice(_WORDS).encode("utf-8", "surrogatepass")
    return content[: spot.start()] + word + content[spot.end() :]


def shuffle_lines(content: bytes, draws: Random) -> bytes:
    lines = content.split(b"\n")
    draws.choice((draws.shuffle, list.reverse, list.clear, lambda x: x.append(x[0])))(lines)
    return b"\n".join(lines)


TEXT: tuple[Damage, ...] = (other_word, other_word, other_word, shuffle_lines, *BYTES)


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
        with np.errstate(all="ignore"):
            part[draws.randrange(len(values))] = row.astype(part.dtype.metadata["vlen"])
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
