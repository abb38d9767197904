"""Ways to damage a file: in its bytes, in its text, within what it packs."""

import gzip
import re
import struct
from collections.abc import Callable
from random import Random

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


def in_bytes(content: bytes, draws: Random) -> bytes:
    return _damaged(content, draws, BYTES)


def in_text(content: bytes, draws: Random) -> bytes:
    return _damaged(content, draws, TEXT)


def _damaged(content: bytes, draws: Random, ways: tuple[Damage, ...]) -> bytes:
    for _ in range(draws.choice((1, 1, 1, 2, 3))):
        content = draws.choice(ways)(content or b"\0", draws)
    return content


def within_gzip(content: bytes, draws: Random) -> bytes:
    """Half of the time in what the file packs, and then it is packed well."""
    if draws.random() < 0.5:
        return in_bytes(content, draws)
    return gzip.compress(in_bytes(gzip.decompress(content), draws), mtime=0)


def in_npy_header(content: bytes, draws: Random) -> bytes:
    """Half of the time in the text of an .npy file's header."""
    if draws.random() < 0.5:
        return in_bytes(content, draws)
    return content[:10] + in_text(content[10:128], draws) + content[128:]


def in_json_header(content: bytes, draws: Random) -> bytes:
    """Half of the time in the JSON of a safetensors file, whose length is then right."""
    if draws.random() < 0.5:
        return in_bytes(content, draws)
    end = 8 + int.from_bytes(content[:8], "little")
    header = in_text(content[8:end], draws)
    return len(header).to_bytes(8, "little") + header + content[end:]
