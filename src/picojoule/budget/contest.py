"""Floors and limits that turn out, in training, to pull against each other."""

from __future__ import annotations

from collections.abc import Mapping

from picojoule.budget.constraints import Constraint
from picojoule.budget.multipliers import Multiplier

_HARD = (
    10.0  # a limit's multiplier from which on it stands against a floor that pulls with all it may
)


def lost(
    constraints: Mapping[str, Constraint], multipliers: Mapping[str, Multiplier]
) -> dict[str, str]:
    """Floors that pull as hard as they may and are not reached while a limit pulls hard, too: why, by name.

    No formula tells beforehand which floors a limit can afford, where it depends on which neurons fire. Two such
    constraints left to themselves would drive one another up until the task has no say.
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
            f"{', '.join(limits)}. The limit wins."
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
