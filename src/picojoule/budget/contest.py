"""Floors and limits that turn out, in training, to pull against each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import StatisticsError, correlation, linear_regression
from typing import Any

from torch import Tensor

from picojoule.budget.constraints import Constraint
from picojoule.budget.multipliers import Multiplier

# a limit's multiplier from which on it stands against a floor that pulls with all it may
_HARD = 10.0
_STEPS = 30  # without both kept, until it is said
_CLEAR = 0.95  # correlation from which on the rate is taken for what the limit spends
_MORE = 1.05  # the floor has to spend so many times the limit, or the next steps may find a way


class Contest:
    """Floors and limits that were never kept together, step by step, and what of each would fit the other.

    No formula tells beforehand which floors a limit can afford, where it depends on which neurons fire. What a
    step measures tells it soon: if SynOps follow the rate in a straight line, this line says what the floor would
    spend, and which rate the limit affords.

    Example:
        >>> import torch
        >>> from picojoule.budget import RateBound, SynopsLimit
        >>> pair = {"floor": RateBound(layer="1", bound=0.4), "limit": SynopsLimit(bound=100.0)}
        >>> contest = Contest()
        >>> for step in range(30):
        ...     rate = torch.tensor(0.1 + 0.005 * step)  # each spike spends 1000
        ...     found = contest.see(pair, {"floor": rate, "limit": 1e3 * rate}, down={"limit"})
        >>> found["floor"].partition(": ")[0]
        'min_rate of 1 = 0.4 is not reached under synops_per_timestep of the model = 100'
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}
        self._apart: dict[tuple[str, str], int] = {}

    def see(
        self,
        constraints: Mapping[str, Constraint],
        averages: Mapping[str, Tensor],
        down: set[str],
    ) -> dict[str, str]:
        """Take in a step; the floors that do not go together with a limit, and why. Waits for the device.

        Args:
            constraints: by name.
            averages: of those that are steered.
            down: the limits whose target has come down to the bound.
        """
        floors = [name for name in averages if constraints[name].is_floor]
        limits = [name for name in averages if constraints[name].spends and name in down]
        if not (floors and limits):
            return {}
        for name in (*floors, *limits):
            values = self._seen.setdefault(name, deque(maxlen=_STEPS))
            values.append(averages[name].mean().item())
        kept = {name: _kept(constraints[name], averages[name]) for name in (*floors, *limits)}
        found = {}
        for floor in floors:
            for limit in limits:
                together = kept[floor] and kept[limit]
                pair = (floor, limit)
                self._apart[pair] = 0 if together else self._apart.get(pair, 0) + 1
                if self._apart[pair] >= _STEPS:
                    found[floor] = self._reason(constraints[floor], constraints[limit], pair)
        return {floor: reason for floor, reason in found.items() if reason}

    def state_dict(self) -> dict[str, object]:
        """For an exact resume."""
        seen = {name: list(values) for name, values in self._seen.items()}
        return {"seen": seen, "apart": [[*pair, count] for pair, count in self._apart.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; an empty state is one that has seen nothing."""
        seen, apart = state.get("seen", {}), state.get("apart", [])
        self._seen = {name: deque(values, maxlen=_STEPS) for name, values in seen.items()}
        self._apart = {(floor, limit): count for floor, limit, count in apart}

    def _reason(self, floor: Constraint, limit: Constraint, pair: tuple[str, str]) -> str:
        rates, spent = (list(self._seen[name]) for name in pair)
        try:
            if correlation(rates, spent) < _CLEAR:
                return ""
            slope, rest = linear_regression(rates, spent)
        except StatisticsError:  # nothing moves
            return ""
        needed, affordable = rest + slope * floor.bound, (limit.bound - rest) / slope
        if needed <= _MORE * limit.bound:
            return ""
        lower = f"lower the floor to {affordable:.3g}" if affordable > 0 else "give up the floor"
        return (
            f"{floor.name} = {floor.bound:g} is not reached under {limit.name} = {limit.bound:g}: not together in any of "
            f"{_STEPS} steps, and now it is {rates[-1]:.3g} with {spent[-1]:.4g} spent. By what was measured, such a "
            f"floor spends about {needed:.3g}: raise the limit to that, or {lower}."
        )


def _kept(constraint: Constraint, average: Tensor) -> bool:
    right = average <= constraint.bound if constraint.upper else average >= constraint.bound
    return bool(right.all())


def lost(
    constraints: Mapping[str, Constraint], multipliers: Mapping[str, Multiplier]
) -> dict[str, str]:
    """Floors that pull as hard as they may and are not reached while a limit pulls hard, too: why, by name.

    Two such constraints left to themselves would drive one another up until the task has no say.
    """
    limits = [
        name
        for name, each in multipliers.items()
        if constraints[name].spends and bool(each.value.max() > _HARD)
    ]
    if not limits:
        return {}
    return {
        name: (
            f"{name} = {constraints[name].bound:g} was not reached with a multiplier of {each.most:g} against "
            f"{', '.join(limits)}; it was {each.average.min().item():.3g} when it was given up. The limit wins."
        )
        for name, each in multipliers.items()
        if constraints[name].is_floor and not each.is_hopeless and each.is_at_its_most()
    }


def given_up(
    constraints: Mapping[str, Constraint], multipliers: Mapping[str, Multiplier]
) -> dict[str, str]:
    """Floors that a restored budget had let go: why, by name."""
    return {
        name: f"{name} = {constraints[name].bound:g} was given up earlier in this training, against a limit."
        for name, each in multipliers.items()
        if constraints[name].is_floor and each.is_hopeless
    }
