"""Time steps of events, and the order in which they may come."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from picojoule.events.inputs.columns import Ints
from picojoule.events.inputs.sensor import Fault

LARGEST = 2**63 - 1  # of an int64
DAY_US = 24 * 3600 * 10**6


@dataclass(frozen=True)
class Clock:
    """Time steps of equal length.

        step = floor((t_us - start_us) / dt_us)

    Args:
        dt_us: length of a step in microseconds, >= 1.
        start_us: where step 0 begins, >= 0.

    Example:
        >>> Clock(dt_us=10, start_us=5).step(np.array([5, 14, 15])), Clock(10, 5).begins(1)
        (array([0, 0, 1]), 15)
    """

    dt_us: int
    start_us: int = 0

    def step(self, t_us: Ints) -> Ints:
        """The step of each time."""
        steps: Ints = (t_us - self.start_us) // self.dt_us
        return steps

    def begins(self, step: int) -> int:
        """When a step begins."""
        return self.start_us + step * self.dt_us

    def complete(self, until_us: int) -> int:
        """Steps that are over at a time."""
        return max((until_us - self.start_us) // self.dt_us, 0)


@dataclass(frozen=True)
class Order:
    """Which times may follow which.

        newest - window_us <= t_us <= newest + longest_gap_us,    newest = the largest time before it

    Args:
        window_us: how much older an event may be than the newest before it.
        longest_gap_us: how much newer; None for anything.
    """

    window_us: int = 0
    longest_gap_us: int | None = None

    def faults(self, t_us: Ints, newest_us: int, earliest_us: int) -> list[Fault]:
        """Times that may not be.

        Args:
            t_us: times.
            newest_us: the largest time before these.
            earliest_us: the time up to which all has run.
        """
        if not len(t_us):
            return []
        before = np.maximum.accumulate(np.concatenate(([newest_us], t_us)))
        ahead = before[:-1]
        early = Fault(
            "t_us",
            t_us < earliest_us,
            f"expected at least {earliest_us}, where the next step begins",
        )
        how = (
            f"which is more than window_us = {self.window_us} behind"
            if self.window_us
            else "and times may not fall; sort the events, or pass window_us to sort a stream within"
        )
        falling = Fault(
            "t_us", t_us < ahead - self.window_us, f"after an event at {{newest}}, {how}"
        )
        faults = [early, falling]
        if self.longest_gap_us is not None:
            far = np.diff(before) > self.longest_gap_us
            advice = f"more than longest_gap_us = {self.longest_gap_us} after {{newest}}. Is it in microseconds? Pass start_us if the clock begins there, or a longer gap"
            faults.append(Fault("t_us", far, advice))
        return [fault for fault in faults if fault.is_faulty.any()]


def whole_number(value: Any, name: str, least: int, where: str) -> int:
    """A number of microseconds or steps.

    Raises:
        TypeError: it is no integer.
        ValueError: it is below `least`, or beyond int64.
    """
    try:
        whole = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{where}: {name} is {value!r}, expected a whole number.") from error
    if not least <= whole <= LARGEST:
        raise ValueError(f"{where}: {name} is {whole}, expected {least} to 2^63 - 1.")
    return whole
