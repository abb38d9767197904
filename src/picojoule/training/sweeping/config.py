"""What a sweep is to do: which budgets, how often, and how each network is trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from picojoule.training.settings.bounds import LIMITS
from picojoule.training.settings.config import TrainConfig
from picojoule.training.settings.saved import ADDED, renewed
from picojoule.training.sweeping.axes import checked_axes, combinations
from picojoule.training.sweeping.cost import Cost, Unit
from picojoule.training.sweeping.sweep_run import SweepRun


@dataclass(frozen=True)
class SweepConfig:
    """The same network trained without a budget, and to each of some budgets.

    With `axes` all of that for each combination of other settings: how many time steps, which optimizer, and so on.

    Attributes:
        budgets: what the networks may spend, in `unit`; kept from the loosest to the tightest.
        unit: "share" of the SynOps that the unconstrained network of the same seed and settings spends in the layers that
            training can change; or a limit on the whole network, in "synops_per_timestep",
            "synops_per_sample" or "energy_j" per sample.
        seeds: how often everything is trained, with `training.seed` and the seeds that follow it.
        training: everything else about each run. It has no limit of its own: the sweep sets it.
        axes: settings of `training` with several values each, such as `{"num_timesteps": (3, 5)}`.
        equal_steps: whether each network is trained from the same start, for as many steps as any other; otherwise
            each starts from the weights of the next looser budget, with the connections that are left there, and has
            the steps of all looser ones behind it.

    Raises:
        ValueError: there is no budget, one is not > 0, a share is above 1, one comes twice,
            `training` has a limit or lacks the profile that joules need, or an axis is none.

    Example:
        >>> [run.name for run in SweepConfig(budgets=(0.1, 0.5)).runs(seed=1)]
        ['seed1/unconstrained', 'seed1/budget-0.5', 'seed1/budget-0.1']
    """

    budgets: tuple[float, ...]
    unit: Unit = "share"
    seeds: int = 1
    training: TrainConfig = field(default_factory=TrainConfig)
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    equal_steps: bool = True

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
            raise ValueError("sweep: budgets in joules need a profile, such as profile='loihi'.")
        object.__setattr__(self, "budgets", tuple(sorted(self.budgets, reverse=True)))
        object.__setattr__(self, "axes", checked_axes(self.axes, self.training))

    def _check(self, budget: float) -> None:
        if not (budget > 0 and math.isfinite(budget)):
            raise ValueError(f"sweep: a budget is {budget:g}, expected a number > 0.")
        if self.unit == "share" and budget > 1:
            raise ValueError(
                f"sweep: a budget is {budget:g}, but a share of what the unconstrained network spends is at most 1. "
                f"For SynOps or joules give unit= one of {', '.join(LIMITS)}."
            )
        if self.budgets.count(budget) > 1:
            raise ValueError(f"sweep: the budget {budget:g} comes twice.")

    @property
    def all_seeds(self) -> range:
        """The seeds."""
        return range(self.training.seed, self.training.seed + self.seeds)

    @property
    def cost(self) -> Cost:
        """What the budgets limit."""
        return Cost.of_unit(self.unit, self.training.profile)

    def runs(self, seed: int) -> tuple[SweepRun, ...]:
        """The runs of one seed: of each combination of settings the unconstrained one, and the loosest budget first."""
        return tuple(
            SweepRun(seed, budget, settings)
            for settings in combinations(self.axes)
            for budget in (None, *self.budgets)
        )

    def all_runs(self) -> tuple[SweepRun, ...]:
        """The runs of all seeds."""
        return tuple(run for seed in self.all_seeds for run in self.runs(seed))

    def lineage(self, run: SweepRun) -> tuple[SweepRun, ...]:
        """The runs whose training a network has behind it, its own last.

        Example:
            >>> config = SweepConfig(budgets=(0.5, 0.1), equal_steps=False)
            >>> [run.budget for run in config.lineage(SweepRun(1, 0.1))]
            [None, 0.5, 0.1]
        """
        if self.equal_steps:
            return (run,)
        budgets = (None, *self.budgets)
        before = budgets[: budgets.index(run.budget) + 1]
        return tuple(SweepRun(run.seed, budget, run.settings) for budget in before)

    def before(self, run: SweepRun) -> tuple[SweepRun, ...]:
        """The runs that have to be complete before one may begin: those it starts from, and that its budget is of."""
        if run.budget is None:
            return ()
        free = SweepRun(run.seed, None, run.settings)
        return (free,) if self.equal_steps else self.lineage(run)[:-1]

    @property
    def most_at_once(self) -> int:
        """How many runs can ever go on at once."""
        chains = self.seeds * len(combinations(self.axes))
        return chains * len(self.budgets) if self.equal_steps else chains

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return {
            "budgets": list(self.budgets),
            "unit": self.unit,
            "seeds": self.seeds,
            "axes": {name: list(values) for name, values in self.axes.items()},
            "equal_steps": self.equal_steps,
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


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    training = settings.get("training")
    if not isinstance(training, dict):  # damaged: shown as it is
        return settings
    own = {name: value for name, value in settings.items() if name != "training"}
    return {**own, **ADDED, **renewed(training)}
