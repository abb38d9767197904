"""Wall time of the same step in several implementations, in turns, so that all see the same machine."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from benchmarks.cases import Case, Step
from benchmarks.implementations import Implementation

FEWEST = 3


@dataclass
class Timing:
    """What an implementation took, or why it has no time."""

    implementation: Implementation
    measured_s: list[float] = field(default_factory=list)
    failure: str | None = None

    @property
    def median_s(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.measured_s)

    @property
    def spread(self) -> float | None:
        """Half the interquartile range over the median; None for fewer than four rounds."""
        if len(self.measured_s) < 4:
            return None
        low, _, high = statistics.quantiles(self.measured_s, n=4)
        return (high - low) / 2 / self.median_s

    def may_go_on(self, rounds: int, share_s: float) -> bool:
        """Whether there is time for another round.

        There always is for the fewest that an implementation asks for, and for three of whoever
        needs less than the share for one.
        """
        if self.failure is not None or len(self.measured_s) >= rounds:
            return False
        if len(self.measured_s) < self.implementation.fewest_rounds:
            return True
        few = len(self.measured_s) < FEWEST and self.median_s <= share_s
        return few or sum(self.measured_s) + self.median_s <= share_s


def measure(
    case: Case, rows: Sequence[Implementation], *, threads: int, rounds: int, seconds: float
) -> list[Timing]:
    """Time one case.

    Args:
        case: what to run.
        rows: who runs it.
        threads: number of PyTorch's threads.
        rounds: measured steps of each implementation, at most.
        seconds: time for all of them together; who is slow gets fewer rounds, at least one.
    """
    torch.set_num_threads(threads)
    timings, steps = [], {}
    for row in rows:
        timing = Timing(row)
        timings.append(timing)
        steps[row.name] = _warmed_up(case, timing)
    share_s = seconds / len(timings)
    for round_ in range(rounds):
        first = round_ % len(timings)  # nobody always runs after the same neighbour
        for timing in timings[first:] + timings[:first]:
            if timing.may_go_on(rounds, share_s):
                timing.measured_s.append(_seconds(steps[timing.implementation.name]))
    return timings


def _warmed_up(case: Case, timing: Timing) -> Step | None:
    """The step, once run: kernels are compiled and caches filled."""
    torch.manual_seed(0)
    try:
        step = case.build(timing.implementation)
        step()
    except Exception as error:
        if not timing.implementation.may_fail:
            raise
        timing.failure = f"{type(error).__name__}: {error}"
        return None
    return step


def _seconds(step: Step) -> float:
    gc.collect()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
