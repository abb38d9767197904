"""What is measured: a work is a family of cases, a case builds a step for any implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.implementations import Implementation

Step = Callable[[], None]
"""One forward and backward pass, with the optimizer's step where a network is trained."""


@dataclass(frozen=True)
class Case:
    """One size of a work.

    Args:
        label: as in the tables.
        build: makes the input and the network, and gives the step to measure.
        time_steps: number of time steps in the input.
        quick: part of `--quick`.
        memory: the peak memory of its step is measured too.
        large: peers take part at the highest number of threads only, or they would take the whole time.
    """

    label: str
    build: Callable[[Implementation], Step]
    time_steps: int
    quick: bool = False
    memory: bool = False
    large: bool = False


def everyone(implementations: Sequence[Implementation]) -> list[Implementation]:
    """All rows, as they come."""
    return list(implementations)


def those_that_run_any_call(implementations: Sequence[Implementation]) -> list[Implementation]:
    """Without kernels for float32 and no feedback, where others are measured."""
    return [each for each in implementations if each.any_call]


@dataclass(frozen=True)
class Work:
    """What is measured, at several sizes.

    Args:
        name: as on the command line; also the name of the result's file.
        title: what is measured, for the head of the table.
        tests: folders whose tests have to pass first.
        cases: the sizes.
        rows: which implementations take part, and how.
        growth: also show how the time per time step grows from the first case to the last.
        seconds: time for one case at one number of threads, over all implementations. Each takes at
            least one step to warm up and its fewest rounds, so the slow ones may exceed it.
    """

    name: str
    title: str
    tests: tuple[str, ...]
    cases: tuple[Case, ...]
    rows: Callable[[Sequence[Implementation]], list[Implementation]] = everyone
    growth: bool = False
    seconds: float = 6.0
