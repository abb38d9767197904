"""From where the model is to the budget, in small steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_THERE = 1.001  # a target this near to its bound, by the bound, is on it


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """First nothing, then a limit that moves by a share of itself in each step.

        target[0] = what the model spends, if that is more than the bound
        target[t] = bound * (target[t-1] / bound)^(1 - tighten)

    A share of the remaining way in each step, in the logarithm: quick where the model spends many times the bound,
    slow at the end, where neurons that fall silent would stay so. Floors hold from the end of the warm-up on: what is silent cannot rise by shares.

    Args:
        warmup_steps: steps without any penalty.
        tighten: share of the way to the bound that a limit falls in a step, 0 < tighten <= 1; 1: at once.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> schedule = Schedule(tighten=0.5)
        >>> target = schedule.first(torch.tensor(10.0), bound=2.0, upper=True)
        >>> target, schedule.next(target, 2.0, upper=True)
        (tensor(10.), tensor(4.4721))
    """

    warmup_steps: int = 0
    tighten: float = 0.02

    def __post_init__(self) -> None:
        if self.warmup_steps < 0 or not 0 < self.tighten <= 1:
            raise ValueError(
                "Schedule: expected warmup_steps >= 0 and 0 < tighten <= 1, got "
                f"{self.warmup_steps} and {self.tighten}."
            )

    def first(self, value: Tensor, bound: float, upper: bool) -> Tensor:
        """The target of a model that spends `value`."""
        if upper and self.tighten < 1:
            return value.clamp(min=bound)
        return torch.full_like(value, bound)

    def next(self, target: Tensor, bound: float, upper: bool) -> Tensor:
        """The target one step later."""
        if not upper:
            return target
        left = (target / bound).clamp(min=1.0) ** (1 - self.tighten)
        return bound * torch.where(left < _THERE, torch.ones_like(left), left)
