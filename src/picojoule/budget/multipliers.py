"""Multipliers that find the weight of each constraint, whatever the scale of the task's loss.

    g          = value / bound - 1                of a limit; 1 - value / bound of a floor
    e(value)   = min(g / width, 1)                how far on the wrong side, in widths
    average   <- decay * average + (1 - decay) * value
    log m     <- log m + integral * e(average)    with e = -1 at least
    log weight = log m + proportional * min(e(average), e(value) + 1/2)

A controller with a proportional and an integral part, in the logarithm of the multiplier: what is
corrected is its order of magnitude, so a loss in other units only starts it elsewhere. The noise
of single batches does not reach the weight, but a batch that falls half a width below the average lets go at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from picojoule.budget.constraints import Constraint
from picojoule.budget.schedule import Schedule

_NEARLY = 1.05  # the last steps of the way are small
_STATE = ("steps", "average", "target", "log", "most")


@dataclass(frozen=True, kw_only=True)
class Controller:
    """How multipliers move; the defaults are meant to stay.

    Args:
        integral: growth of log m in a step at g = width and above.
        proportional: growth of the weight's logarithm at g = width, at once. No more than that
            above it; below the target it goes on, so that a network that spends too little is let go.
        width: distance from the target, by the target, at which the multiplier moves at full speed.
        decay: of the moving average that the multipliers see, 0 <= decay < 1.
        start: multiplier at the first step.
        least: none falls below, so that it is back soon.
        most: none of a limit rises above.
        most_of_rates: none of a bound on rates does. Far below `most`: where they contradict, limits win.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> Controller(integral=0.05).decay
        0.6
    """

    integral: float = 0.1
    proportional: float = 3.0
    width: float = 0.15
    decay: float = 0.6
    start: float = 1e-2
    least: float = 1e-6
    most: float = 1e12
    most_of_rates: float = 1e2

    def __post_init__(self) -> None:
        if not (
            self.integral > 0 and self.proportional >= 0 and 0 <= self.decay < 1 and self.width > 0
        ):
            raise ValueError(
                "Controller: expected integral > 0, proportional >= 0, width > 0 and 0 <= decay < 1, got "
                f"{self.integral}, {self.proportional}, {self.width} and {self.decay}."
            )
        if not 0 < self.least <= self.start <= min(self.most_of_rates, self.most):
            raise ValueError(
                "Controller: expected 0 < least <= start <= most_of_rates and most, got "
                f"{self.least}, {self.start}, {self.most_of_rates} and {self.most}."
            )


class Multiplier:
    """State of one constraint: its multiplier, the average that drives it, the target on its way.

    Args:
        bound: the final target.
        upper: a limit; else a floor.
        controller: how it moves.
        schedule: how the target gets to the bound.
        most: the largest multiplier.
        first: the first value, from which the average starts and a limit comes down.

    Example:
        >>> spent = torch.tensor(3.0, requires_grad=True)
        >>> at_once = Schedule(tighten=1.0)
        >>> multiplier = Multiplier(1.0, True, Controller(), at_once, most=1e12, first=spent)
        >>> multiplier.penalty(spent).item() > 0
        True
        >>> for _ in range(100):
        ...     multiplier.update(spent.detach())
        >>> f"{multiplier.value.item():.1f}"
        '220.3'
    """

    def __init__(
        self,
        bound: float,
        upper: bool,
        controller: Controller,
        schedule: Schedule,
        most: float,
        first: Tensor,
    ) -> None:
        self.bound, self.upper, self.most = bound, upper, most
        self._controller, self._schedule = controller, schedule
        self.steps = 0
        self.average = first.detach().clone()
        self.target = schedule.first(self.average, bound, upper)
        self.log = torch.full_like(self.average, math.log(controller.start))

    @property
    def value(self) -> Tensor:
        """The multiplier, in the shape of what is bounded."""
        return self.log.exp()

    def go_on_from(self, other: Multiplier) -> None:
        """Take over the multiplier, its end and the steps of one that steered another quantity."""
        self.log, self.most, self.steps = other.log, other.most, other.steps

    def penalty(self, value: Tensor) -> Tensor:
        """The constraint's term of the loss: zero where it is kept, but with a gradient even there.

        The gradient is that of weight * log(value) above the target: a weight of 1 pulls as hard at ten
        times the budget as at twice.
        """
        if self.steps < self._schedule.warmup_steps:
            return (value * 0.0).sum()
        target, now = self.target, value.detach()
        if self.upper:
            scaled = value / torch.maximum(now, target)
            kept = (now / torch.maximum(now, target)).clamp(max=1.0)
            shown = (now / target - 1).clamp(min=0)
        else:
            scaled, kept = -value / target, -now / target
            shown = (1 - now / target).clamp(min=0)
        weight = self._weight(now)
        return (weight * (scaled - kept + shown)).mean()

    def update(self, value: Tensor) -> None:
        """One step of training is done, with this value."""
        decay = self._controller.decay
        self.average = decay * self.average + (1 - decay) * value.detach()
        self.steps += 1
        if self.steps <= self._schedule.warmup_steps:
            self.target = self._schedule.first(self.average, self.bound, self.upper)
            return
        self.target = self._schedule.next(self.target, self.bound, self.upper)
        error = self._error(self.average).clamp(min=-1)
        log = self.log + self._controller.integral * error
        self.log = log.clamp(math.log(self._controller.least), math.log(self.most))

    @property
    def is_down(self) -> bool:
        """Whether the target has come to the bound, or nearly so."""
        return bool((self.target <= self.bound * _NEARLY).all())

    @property
    def is_hopeless(self) -> bool:
        """Whether it never grows."""
        return self.most <= self._controller.start

    def is_at_its_most(self) -> bool:
        """Whether it cannot pull harder, anywhere, and the average is still on the wrong side."""
        if self.steps == 0:
            return False
        hardest = self.log >= math.log(self.most) - 1e-6
        return bool((hardest & (self._error(self.average) > 0)).all())

    def give_up(self) -> None:
        """Fall back to the first multiplier, for good."""
        self.most = self._controller.start
        self.log = self.log.clamp(max=math.log(self.most))

    def _weight(self, now: Tensor) -> Tensor:
        """The multiplier, more of it on the wrong side of the target and soon none on the right one."""
        shift = torch.minimum(self._error(self.average), self._error(now) + 0.5)
        grown = self.log + self._controller.proportional * shift
        return grown.clamp(max=math.log(self.most)).exp()

    def _error(self, value: Tensor) -> Tensor:
        """How far on the wrong side, in widths, at most 1."""
        g = value / self.target - 1
        return ((g if self.upper else -g) / self._controller.width).clamp(max=1)

    def state_dict(self) -> dict[str, object]:
        """What an exact resume needs."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over a saved state."""
        for name in _STATE:
            value = state[name]
            setattr(self, name, value.clone() if isinstance(value, Tensor) else value)


def multiplier_of(
    constraint: Constraint,
    aim: float,
    controller: Controller,
    schedule: Schedule,
    hopeless: bool,
    first: Tensor,
) -> Multiplier:
    """The multiplier of a constraint; one that is hopeless does not grow."""
    most = controller.most if constraint.spends else controller.most_of_rates
    most = controller.start if hopeless else most
    return Multiplier(aim, constraint.upper, controller, schedule, most, first)


def check_same(names: Iterable[str], state: Mapping[str, Any]) -> None:
    """Raise ValueError if a saved state is of other constraints."""
    if state.keys() != set(names):
        raise ValueError(
            f"Budget: the saved state is of the constraints {sorted(state)}, this budget's are {sorted(names)}."
        )
