"""From where the model is to the budget, in small steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_SLOWER = 0.75  # way that is left, in the logarithm, from where on a limit comes down more slowly
_NEAR = 0.25  # added to it, since shares of what is left never arrive


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """First nothing, then a limit that comes down by a share of itself a step, and more slowly at the end.

        way[0] = log(what the model spends / bound), if that is > 0;   target = bound * exp(way)
        way[t] = max(way[t-1] - tighten * min((way[t-1] + 0.25) / 0.75, 1), 0)

    More slowly from 1.6 times the bound on, since neurons that fall silent there would stay so; the 0.25 lets it
    arrive. Floors hold from the end of the warm-up on: what is silent cannot rise by shares.

    Args:
        warmup_steps: steps without any penalty.
        tighten: share of itself by which a limit falls in a step, 0 < tighten <= 1; 1: at once.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> schedule = Schedule(tighten=0.5)
        >>> target = schedule.first(torch.tensor(10.0), bound=2.0, upper=True)
        >>> target, schedule.next(target, 2.0, upper=True)
        (tensor(10.), tensor(6.0653))
    """

    warmup_steps: int = 0
    tighten: float = 0.015

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
            return torch.full_like(target, bound)  # which may be another than that of a saved state
        way = (target / bound).log()
        speed = self.tighten * ((way + _NEAR) / _SLOWER).clamp(max=1.0)
        return bound * (way - speed).clamp(min=0.0).exp()
