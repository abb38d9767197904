"""What early exit comes to on a test set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from picojoule.budget import ExitFigures
from picojoule.budget.early_exit import Sure


@dataclass(frozen=True)
class ExitMeasurement:
    """A network that stops for each sample when it is sure, on a budget.

    Attributes:
        synops_per_sample: the budget.
        sure: what tells how sure an answer is.
        potential_of: the layer whose potential is a part of each answer; None if the outputs alone are added up.
        threshold: from which on a sample is done; None if none is before the last step.
        last_step: after which all are done; None if that is their end.
        set_on: the samples that the threshold was set on: "validation", or "training" of a run that keeps none aside.
        samples: how many these were.
        calibrated: the figures there; None if no threshold keeps the budget.
        tested: the figures on the test set; None likewise.
        why: if none does: what stands against it.

    Example:
        >>> figures = ExitFigures(0.9, 2.5, 1100.0)
        >>> measured = ExitMeasurement(1000.0, "entropy", None, 0.2, 8, "validation", 600, figures, figures)
        >>> measured.excess
        0.10000000000000009
    """

    synops_per_sample: float
    sure: Sure
    potential_of: str | None
    threshold: float | None
    last_step: int | None
    set_on: Literal["validation", "training"]
    samples: int
    calibrated: ExitFigures | None = None
    tested: ExitFigures | None = None
    why: str = ""

    @property
    def excess(self) -> float | None:
        """How far the test set is over the budget, by the budget; negative within it."""
        if self.tested is None:
            return None
        return self.tested.synops_per_sample / self.synops_per_sample - 1

    def to_dict(self) -> dict[str, Any]:
        """Plain figures for JSON."""
        return asdict(self)
