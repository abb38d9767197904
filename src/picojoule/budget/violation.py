"""What is over its limit or under its floor, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isnan

from torch import Tensor

from picojoule.budget.constraints import Constraint
from picojoule.printable import printable


class BudgetWarning(UserWarning):
    """Part of a budget that no training can meet, or that may be kept in the count alone."""


@dataclass(frozen=True)
class Violation:
    """A constraint that is not kept.

    Attributes:
        name: quantity and place.
        value: the worst that was measured, in the unit of the bound.
        bound: the limit or floor.
        excess: how far on the wrong side, by the bound.
        share: of the channels or neurons that are on the wrong side, 0 to 1.
        why: if no training can help: what stands against it.

    Example:
        >>> print(Violation("synops_per_timestep of 4", 1.5e5, 1e5, 0.5, 1.0))
        synops_per_timestep of 4: 1.5e+05, bound 1e+05 (50.0 % off)
    """

    name: str
    value: float
    bound: float
    excess: float
    share: float
    why: str = ""

    def __str__(self) -> str:
        share = f", {100 * self.share:.1f} % of them" if self.share < 1 else ""
        why = f"; {self.why}" if self.why else ""
        off = f"{100 * self.excess:.1f} % off{share}"
        return printable(f"{self.name}: {self.value:.4g}, bound {self.bound:.4g} ({off}){why}")


def violations(judged: Iterable[tuple[Constraint, Tensor, str]]) -> list[Violation]:
    """Those of some (constraint, measured value, why) that are not kept, the worst first; NaN is not kept."""
    found = [violation(constraint, value.detach(), why) for constraint, value, why in judged]
    broken = [each for each in found if not each.excess <= 0]
    return sorted(broken, key=lambda each: -inf if isnan(each.excess) else -each.excess)


def violation(constraint: Constraint, value: Tensor, why: str = "") -> Violation:
    """How far a measured value is on the wrong side; `excess` is negative if it is on the right one."""
    worst = (value.max() if constraint.upper else value.min()).item()
    sign = 1 if constraint.upper else -1
    wrong = (value > constraint.bound) if constraint.upper else (value < constraint.bound)
    return Violation(
        name=constraint.name,
        value=worst,
        bound=constraint.bound,
        excess=sign * (worst / constraint.bound - 1),
        share=wrong.float().mean().item(),
        why=why,
    )
