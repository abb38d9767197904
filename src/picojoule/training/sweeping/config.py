"""What a sweep is to do: which budgets, how often, and how each network is trained."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from picojoule.training.config import TrainConfig

Unit = Literal["share", "synops_per_timestep", "synops_per_sample", "energy_j"]
LIMITS = ("synops_per_timestep", "synops_per_sample", "energy_j")


@dataclass(frozen=True)
class SweepConfig:
    """The same network trained without a budget, then to one budget after another.

    Attributes:
        budgets: what the networks may spend, in `unit`; kept from the loosest to the tightest.
        unit: "share" of the SynOps that the unconstrained network of the same seed spends in the layers that
            training can change; or a limit on the whole network, in "synops_per_timestep",
            "synops_per_sample" or "energy_j" per sample.
        seeds: how often everything is trained, with `training.seed` and the seeds that follow it.
        training: everything else about each run. It has no limit of its own: the sweep sets it.

    Raises:
        ValueError: there is no budget, one is not > 0, a share is above 1, one comes twice, or
            `training` has a limit or lacks the profile that joules need.

    Example:
        >>> SweepConfig(budgets=(0.1, 0.5)).steps(seed=1)
        (SweepStep(seed=1, budget=None), SweepStep(seed=1, budget=0.5), SweepStep(seed=1, budget=0.1))
    """

    budgets: tuple[float, ...]
    unit: Unit = "share"
    seeds: int = 1
    training: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise ValueError(f"sweep: unit is {self.unit!r}; choose one of {list(get_args(Unit))}.")
        if not self.budgets:
            raise ValueError("sweep: there are no budgets; give some, such as 0.5,0.25,0.1.")
        for budget in self.budgets:
            self._check(budget)
        if self.seeds < 1:
            raise ValueError(f"sweep: seeds is {self.seeds}, expected a whole number >= 1.")
        for name in LIMITS:
            if getattr(self.training, name) is not None:
                raise ValueError(
                    f"sweep: the training has {name}={getattr(self.training, name)}; leave it out, the budgets say it."
                )
        if self.training.devices != 1:
            raise ValueError(
                f"sweep: the training has devices={self.training.devices}, but a run of a sweep has one; what goes on "
                "at once are jobs, and sweeps on other machines or devices that share a storage."
            )
        if self.unit == "energy_j" and self.training.profile is None:
            raise ValueError("sweep: budgets in joules need a profile, such as loihi.")
        object.__setattr__(self, "budgets", tuple(sorted(self.budgets, reverse=True)))

    def _check(self, budget: float) -> None:
        if not (budget > 0 and math.isfinite(budget)):
            raise ValueError(f"sweep: a budget is {budget:g}, expected a number > 0.")
        if self.unit == "share" and budget > 1:
            raise ValueError(
                f"sweep: a budget is {budget:g}, but a share of what the unconstrained network spends is at most 1. "
                f"For SynOps or joules state the unit, one of {', '.join(LIMITS)}."
            )
        if self.budgets.count(budget) > 1:
            raise ValueError(f"sweep: the budget {budget:g} comes twice.")

    @property
    def all_seeds(self) -> range:
        """The seeds, one chain of runs each."""
        return range(self.training.seed, self.training.seed + self.seeds)

    def steps(self, seed: int) -> tuple[SweepStep, ...]:
        """The runs of one seed in their order: each starts from the weights of the one before."""
        return tuple(SweepStep(seed, budget) for budget in (None, *self.budgets))

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return {
            "budgets": list(self.budgets),
            "unit": self.unit,
            "seeds": self.seeds,
            "training": self.training.to_dict(),
        }

    def differences(self, other: dict[str, Any]) -> list[str]:
        """The settings in which a saved sweep differs, as text."""
        mine, theirs = _flat(json.loads(json.dumps(self.to_dict()))), _flat(other)
        return [
            f"{name} is {mine.get(name)!r} here and {theirs.get(name)!r} there"
            for name in mine | theirs
            if mine.get(name) != theirs.get(name)
        ]


@dataclass(frozen=True)
class SweepStep:
    """One run of a sweep.

    Attributes:
        seed: of the run, and of the chain it belongs to.
        budget: in the sweep's unit; None for the unconstrained network.
    """

    seed: int
    budget: float | None

    @property
    def name(self) -> str:
        """Its folder in the sweep's.

        Example:
            >>> SweepStep(1, 0.25).name
            'seed1/budget-0.25'
        """
        if self.budget is None:
            return f"seed{self.seed}/unconstrained"
        return f"seed{self.seed}/budget-{self.budget:.15g}"


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    training = settings.get("training")
    if not isinstance(training, dict):  # damaged: shown as it is
        return settings
    return {**{name: value for name, value in settings.items() if name != "training"}, **training}
