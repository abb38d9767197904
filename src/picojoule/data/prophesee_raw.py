"""Prophesee's .raw files: what the camera sent, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from picojoule.data.events import Events
from picojoule.data.evt2 import Evt2
from picojoule.data.evt3 import Evt3
from picojoule.data.on_sensor import check_on_sensor
from picojoule.data.prophesee import PropheseeHeader, read_prophesee_header

_Array = np.ndarray[Any, Any]

_Format: TypeAlias = type[Evt2] | type[Evt3]

_FORMATS: dict[str, _Format] = {"2": Evt2, "3": Evt3}
_TIME_HIGH = 0x8  # in both
_MOST_SIDE = 2**11
_WORDS = 2**18  # decoded at a time: their temporaries take some 30 MB


def read_raw(path: Path) -> Events:
    r"""The events of a `.raw` file, in EVT 2.0 or EVT 3.0; `Evt2` and `Evt3` say what the words are.

    The header names the format: `% evt 3.0`, or `% format EVT3;height=720;width=1280`. Triggers and what
    cameras add of their own are passed over, as are words before the first that says the high part of the
    time: theirs is not known. Times are the camera's, in the order of the file.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no such header, ends within a word, has a word of no published type, events
            without time, or an event outside the sensor that the header names; the message names the
            file and the byte or the event.
        NotImplementedError: it is in another format, such as EVT 2.1.

    Example:
        >>> path = getfixture("tmp_path") / "street.raw"
        >>> words = np.array([0x8001, 0x6009, 0x0005, 0x2803], "<u2")  # high, low, y, x with polarity
        >>> _ = path.write_bytes(b"% evt 3.0\n% end\n" + words.tobytes())
        >>> read_raw(path)
        Events(t_us=tensor([4105]), x=tensor([3]), y=tensor([5]), p=tensor([1]))

    Source: Prophesee, "RAW File Format" (Metavision documentation).
    """
    if path.stat().st_size == 0:
        raise ValueError(
            f"{path}: the file is empty, expected a header and events; fetch it again."
        )
    content = np.memmap(path, np.uint8, "r")
    header = read_prophesee_header(content, path)
    form = _format(header, path)
    words = _words(content, header.num_bytes, form, path)
    start = _first_time(words, form, path)
    words = words[start:]
    columns = np.empty((4, sum(map(form.num_events, _parts(words)))), np.int64)
    said = form(high=int(words[0]) & _values(form)) if len(words) else form()
    first = 0
    for part in _parts(words):
        events, said = said.decode(part)
        past = first + len(events[0])
        columns[:, first:past] = events
        check_on_sensor(events[1], events[2], header.size(_MOST_SIDE), first, path)
        first = past
    return Events(*torch.from_numpy(columns))


def _format(header: PropheseeHeader, path: Path) -> _Format:
    values = header.values
    if "format" not in values and "evt" not in values:
        raise ValueError(
            f"{path}: its header does not name the format, expected a line such as '% evt 3.0' or '% format "
            "EVT3'. Add one if you know it."
        )
    named = values.get("format") or values["evt"]
    version = named.upper().removeprefix("EVT").strip().removesuffix(".0")
    order = values.get("endianness", "little")
    if version not in _FORMATS or order != "little":
        raise NotImplementedError(
            f"{path}: its words are {named!r}, {order}-endian; only EVT 2.0 and EVT 3.0, little-endian, "
            "are read. Convert it to one of them with the camera's software."
        )
    return _FORMATS[version]


def _words(content: _Array, at: int, form: _Format, path: Path) -> _Array:
    """The words after the header, all of published types."""
    size = form.word.itemsize
    if (len(content) - at) % size:
        raise ValueError(
            f"{path}: {len(content) - at} bytes follow the header of {at}, expected a multiple of {size} (a word). "
            "The file is cut short; fetch it again."
        )
    words: _Array = content[at:].view(form.word)
    is_published = np.isin(np.arange(16), form.types)
    for first, part in zip(range(0, len(words), _WORDS), _parts(words), strict=True):
        is_known = is_published[part >> _type_bits(form)]
        if not is_known.all():
            faulty = first + int(is_known.argmin())
            raise ValueError(
                f"{path}: the word at byte {at + size * faulty} is {words[faulty]:#x}, of a type that is reserved; "
                f"expected {', '.join(f'{kind:#x}' for kind in form.types)} in its highest 4 bits. The file is "
                "damaged, or of another format than its header says."
            )
    return words


def _first_time(words: _Array, form: _Format, path: Path) -> int:
    """The first word that says the high part of the time."""
    start = has_events = 0
    for part in _parts(words):
        is_high = part >> _type_bits(form) == _TIME_HIGH
        if is_high.any():
            return start + int(is_high.argmax())
        start += len(part)
        has_events |= form.num_events(part) > 0
    if has_events:
        raise ValueError(
            f"{path}: has events, but no word says the high part of their time (type {_TIME_HIGH:#x}). The file is "
            "damaged; fetch it again."
        )
    return start


def _parts(words: _Array) -> Iterator[_Array]:
    return (words[first : first + _WORDS] for first in range(0, len(words), _WORDS))


def _type_bits(form: _Format) -> int:
    """The place of a word's type: its highest 4 bits."""
    return 8 * form.word.itemsize - 4


def _values(form: _Format) -> int:
    """The bits of a word after its type."""
    return (1 << _type_bits(form)) - 1
