"""Profiles by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from picojoule.energy.chips import CHIPS
from picojoule.energy.cmos import CMOS, MEMORIES
from picojoule.energy.energy_profile import EnergyProfile, MemoryCost
from picojoule.near_names import nearest

Entry = TypeVar("Entry")


def profiles() -> tuple[EnergyProfile, ...]:
    """Every profile that comes with Picojoule.

    Example:
        >>> [profile.name for profile in profiles()][:3]
        ['45nm-fp32', '45nm-fp16', '45nm-int32']
    """
    return CMOS + CHIPS


def memories() -> tuple[MemoryCost, ...]:
    """Every memory whose price can be added to bare arithmetic, as in `profile("45nm-int8+step")`.

    Example:
        >>> [memory.name for memory in memories()]
        ['step', 'sram-8kb', 'sram-32kb', 'sram-1mb', 'dram']
    """
    return MEMORIES


def profile(name: str | EnergyProfile) -> EnergyProfile:
    """The energy profile of that name.

    Args:
        name: a chip or technology, "loihi"; with a memory, "45nm-int8+step"; or a profile of your
            own, which is returned as it is.

    Raises:
        TypeError: neither a name nor a profile.
        ValueError: there is none of that name; the message names the nearest and all others.

    Example:
        >>> profile("loihi").synop_j
        2.36e-11
    """
    if isinstance(name, EnergyProfile):
        return name
    if not isinstance(name, str):
        raise TypeError(
            f"energy: expected the name of a profile or an EnergyProfile, got {type(name).__name__}."
        )
    chip, *added = name.lower().split("+")
    found = _named(chip, {each.name: each for each in profiles()}, "profile")
    for memory in added:  # a second one is refused by the profile that has the first
        found = found.with_memory(memory_cost(memory))
    return found


def memory_cost(name: str | MemoryCost) -> MemoryCost:
    """The memory of that name, or the one given.

    Raises:
        ValueError: there is none of that name; the message names the nearest and all others.

    Example:
        >>> memory_cost("dram").j_per_byte
        1.625e-10
    """
    if isinstance(name, MemoryCost):
        return name
    return _named(name, {each.name: each for each in memories()}, "memory")


def _named(name: str, entries: dict[str, Entry], kind: str) -> Entry:
    if name in entries:
        return entries[name]
    near = _nearest(name, entries)
    hint = f" Nearest: {', '.join(near)}." if near else ""
    raise ValueError(
        f"energy: there is no {kind} {name!r}.{hint} There are: {', '.join(entries)}. "
        f"For another, pass {'an EnergyProfile' if kind == 'profile' else 'a MemoryCost'} instead of a name."
    )


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """Names that begin like this one (a chip with two conflicting sources), else the most alike."""
    begin_alike = [each for each in known if name and each.startswith(name)]
    return begin_alike or nearest(name, known, most=2)
