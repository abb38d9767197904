"""What is over its limit or under its floor, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isnan
from typing import NamedTuple

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
        why: if no training can help, or did: what stands against it.
        declared: whether the user declared that it may be so.
        below: whether it is a limit that more is left of than the budget's `within` allows.

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
    declared: bool = False
    below: bool = False

    def __str__(self) -> str:
        share = f", {100 * self.share:.1f} % of them" if self.share < 1 else ""
        why = f"; {self.why}" if self.why else ""
        declared = "; declared out of reach" if self.declared else ""
        off = f"{100 * self.excess:.1f} % off{share}"
        if isnan(self.excess):
            off = f"no number{share}"
        if self.below:
            off = f"{100 * self.excess:.1f} % below: it spends less than it may"
        told = f"{self.name}: {self.value:.4g}, bound {self.bound:.4g} ({off}){why}{declared}"
        return printable(told)


class Judged(NamedTuple):
    """What is held against a bound.

    Args:
        constraint: has the bound.
        value: what was measured.
        why: what stands against it, if something does.
        declared: whether the user declared that it may be violated.
    """

    constraint: Constraint
    value: Tensor
    why: str = ""
    declared: bool = False


def violations(judged: Iterable[Judged], within: float | None = None) -> list[Violation]:
    """Those that are not kept, the worst first; NaN is not kept.

    Args:
        judged: what is held against its bound.
        within: share of a limit that may be left over, if more than that is a miss, too.
    """
    found = [_violation(each, within) for each in judged]
    broken = [each for each in found if not each.excess <= 0]
    return sorted(
        broken, key=lambda each: (each.below, -inf if isnan(each.excess) else -each.excess)
    )


def _violation(judged: Judged, within: float | None) -> Violation:
    """How far a measured value is on the wrong side; `excess` is negative if it is on the right one."""
    constraint, value = judged.constraint, judged.value.detach()
    worst = (value.max() if constraint.upper else value.min()).item()
    sign = 1 if constraint.upper else -1
    kept = (value <= constraint.bound) if constraint.upper else (value >= constraint.bound)
    excess = sign * (worst / constraint.bound - 1)
    below = constraint.spends and within is not None and -excess > within
    return Violation(
        name=constraint.name,
        value=worst,
        bound=constraint.bound,
        excess=-excess if below else excess,
        share=1.0 if below else (~kept).float().mean().item(),
        why=judged.why,
        declared=judged.declared,
        below=below,
    )
