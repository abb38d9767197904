"""What the files of Prophesee's cameras begin with: lines of text, and the sensor they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_Array = np.ndarray[Any, Any]

_LONGEST = 2**16
_END = "end"


class PropheseeHeader(NamedTuple):
    """The lines of text before the data.

    Attributes:
        values: by keyword, in small letters; the parts of `format EVT3;height=720;width=1280` too, as
            `format`, `height` and `width`.
        num_bytes: up to the data.
    """

    values: dict[str, str]
    num_bytes: int

    def size(self, most: int) -> tuple[int, int]:
        """Width and height of the sensor; `most`, what the format can say, where no line tells it."""
        sides = re.fullmatch(r"(\d+)x(\d+)", self.values.get("geometry", ""))
        width, height = sides.groups() if sides else ("", "")
        width, height = self.values.get("width", width), self.values.get("height", height)
        return _side(width, most), _side(height, most)


def read_prophesee_header(content: _Array, path: Path) -> PropheseeHeader:
    """The header of a `.raw` or `.dat` file.

    Every line is `% keyword value`; the last is `% end`, or the data follow the last that begins so.

    Args:
        content: of the file, bytes.
        path: the file, for messages.

    Raises:
        ValueError: there is no header, or it does not end.

    Source: Prophesee, "RAW File Format" and "DAT File Format" (Metavision documentation).
    """
    start = content[:_LONGEST].tobytes()
    values: dict[str, str] = {}
    at = 0
    while start[at : at + 1] == b"%" and start[at + 1 : at + 2] in (b" ", b"\n", b"\r"):
        end = start.find(b"\n", at)
        if end < 0:
            raise ValueError(
                f"{path}: the line of its header at byte {at} has no end within {_LONGEST} bytes. The file is "
                "damaged; fetch it again."
            )
        line = start[at + 1 : end].decode("latin-1").strip()
        at = end + 1
        if line.lower() == _END:
            break
        values.update(_values(line))
    if at == 0:
        raise ValueError(
            f"{path}: starts with {start[:8]!r}, expected a header of lines such as '% evt 3.0' or "
            "'% Version 2'. It is no file of Prophesee's, or its header was cut off."
        )
    return PropheseeHeader(values, at)


def _values(line: str) -> dict[str, str]:
    keyword, _, value = line.partition(" ")
    values = {keyword.lower(): value.strip()}
    if keyword.lower() == "format":
        values["format"], *options = (part.strip() for part in value.split(";"))
        values.update(
            (name.strip().lower(), text.strip())
            for name, _, text in (option.partition("=") for option in options)
        )
    return values


def _side(text: str, most: int) -> int:
    return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII) else most
