"""What comes of early exit: of a batch, and of a threshold on held-out samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from picojoule.budget.early_exit.record import ExitFigures


class Exits(NamedTuple):
    """A batch after early exit.

    Attributes:
        answers: what was answered at the exit, `b c`.
        steps: time steps that each sample ran, `b`, int64, from 1 on.
        synops: SynOps of each sample up to its exit, `b`, float64.
    """

    answers: Tensor
    steps: Tensor
    synops: Tensor


@dataclass(frozen=True)
class Calibration:
    """A threshold, a last step, and what came of them on the held-out samples.

    Attributes:
        threshold: in the unit of the measure; None if no sample leaves before the last step.
        last_step: after which all leave; None if that is the end of the sequence.
        synops_per_sample: the budget.
        exit: with them.
        full: without, over all time steps.
    """

    threshold: float | None
    last_step: int | None
    synops_per_sample: float
    exit: ExitFigures
    full: ExitFigures

    @property
    def needed(self) -> bool:
        """Whether the budget asks for an exit at all: without one, more would be spent."""
        return self.full.synops_per_sample > self.synops_per_sample

    def __str__(self) -> str:
        no_need = "" if self.needed else " No exit is needed: without one the budget is kept, too."
        place = "no threshold" if self.threshold is None else f"threshold {self.threshold:.6g}"
        last = "" if self.last_step is None else f", last step {self.last_step}"
        return (
            f"{place}{last}: {self.exit.accuracy:.2%} at {self.exit.synops_per_sample:,.0f} SynOps per sample (budget "
            f"{self.synops_per_sample:,.0f}), exit after {self.exit.exit_step:.2f} steps; without exit "
            f"{self.full.accuracy:.2%} at {self.full.synops_per_sample:,.0f}.{no_need}"
        )
