"""Which field of an array of events is which: the names that cameras and libraries give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_PLACES = {"x": "x", "xs": "x", "y": "y", "ys": "y"}
_POLARITIES = dict.fromkeys(("p", "ps", "pol", "pols", "polarity", "polarities", "on"), "p")
_TIMES = dict.fromkeys(("t", "ts", "time", "times", "timestamp", "timestamps"), "t")
_MEANINGS = {**_PLACES, **_POLARITIES, **_TIMES}

UNITS = ("s", "ms", "us", "ns")


class EventFields(NamedTuple):
    """The names under which the four columns are kept, and the unit of time if its name ends in one.

    Attributes:
        t: such as "timestamp", or "t_us".
        x: such as "x".
        y: such as "y".
        p: such as "polarity", or "on".
        unit: "s", "ms", "us" or "ns"; None if the name of the time says none.
    """

    t: str
    x: str
    y: str
    p: str
    unit: str | None


def event_fields(names: Iterable[str], where: str) -> EventFields:
    """The fields of events among names in any order; others are passed over.

        t: t ts time times timestamp timestamps, each also with _s _ms _us _ns after it
        x: x xs      y: y ys      p: p ps pol pols polarity polarities on

    Capital letters count as small ones. The names are those of Prophesee's Metavision and expelliarmus (t x y p),
    tonic and sinabs (x y t p), iniVation's dv (timestamp x y polarity), aedat and faery (t x y on), and
    ESIM and what grew from it (ts xs ys ps, pol).

    Args:
        names: of the fields.
        where: starts the message of an error.

    Raises:
        ValueError: a field is missing, or has two names; the message lists those that came.

    Example:
        >>> event_fields(["x", "y", "polarity", "timestamp"], "here")
        EventFields(t='timestamp', x='x', y='y', p='polarity', unit=None)
    """
    names = [str(name) for name in names]
    found: dict[str, str] = {}
    for name in names:
        meaning, _ = _meaning(name)
        if meaning is None:
            continue
        if meaning in found:
            raise ValueError(
                f"{where}: {found[meaning]!r} and {name!r} both name {meaning}. Leave one of them out."
            )
        found[meaning] = name
    missing = [meaning for meaning in "txyp" if meaning not in found]
    if missing:
        spellings = "; ".join(f"{meaning}: {_spellings(meaning)}" for meaning in missing)
        raise ValueError(
            f"{where}: no field for {', '.join(missing)} among {', '.join(names) or 'none'}. Expected one of "
            f"each ({spellings}); rename it, or add a column of zeros if the sensor has none."
        )
    return EventFields(**found, unit=_meaning(found["t"])[1])


def _meaning(name: str) -> tuple[str | None, str | None]:
    """What a name stands for, and the unit in it."""
    small = name.lower()
    stem, _, end = small.rpartition("_")
    if end in UNITS and stem in _TIMES:
        return "t", end
    return _MEANINGS.get(small), None


def _spellings(meaning: str) -> str:
    return " ".join(name for name, stands_for in _MEANINGS.items() if stands_for == meaning)
