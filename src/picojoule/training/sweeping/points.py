"""The points of a frontier: trained networks, and what they have in common over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from picojoule.training.sweeping.cost import Cost, Unit
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.sweep_run import Setting

TOLERANCE = 0.05
BUDGET, FREE = "Budget", "no budget"


class Spread(NamedTuple):
    """A mean over seeds and how far they scatter.

    Args:
        mean: over the seeds.
        spread: standard deviation of a seed; None for one seed alone.
    """

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The mean and spread of some values.

        Example:
            >>> Spread.of([1.0, 3.0])
            Spread(mean=2.0, spread=1.4142135623730951)
        """
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class SweptModel:
    """One trained network.

    Attributes:
        seed: of its run.
        limit: its budget, in the cost of the frontier; None for a network that was told none.
        spent: what it spends on the test set, in the cost of the frontier.
        outcome: all figures.
        folder: its folder in the sweep's; empty if it is not known.
        steps_in_all: training steps, with those of the runs whose weights it started from; None if unknown.
        within: share of the limit that may be left over; None: any.
    """

    seed: int
    limit: float | None
    spent: float
    outcome: Outcome
    folder: str = ""
    steps_in_all: int | None = None
    within: float | None = None

    @property
    def error(self) -> float | None:
        """How far it missed the budget, |spent - limit| / limit."""
        return None if self.limit is None else abs(self.spent - self.limit) / self.limit

    def met(self, tolerance: float = TOLERANCE) -> bool:
        """Whether it spends at most its limit, or a share of `tolerance` more, and not less than `within` allows."""
        if self.limit is None:
            return True
        least = 0.0 if self.within is None else self.limit * (1 - self.within)
        return least <= self.spent <= self.limit * (1 + tolerance)

    def restated(self, before: Cost, after: Cost) -> SweptModel:
        """The same network in another cost."""
        if before == after:
            return self
        limit = self.limit
        if limit is not None:
            limit = before.restate(limit, self.outcome, after)
        return replace(self, limit=limit, spent=after.of(self.outcome))


@dataclass(frozen=True)
class FrontierPoint:
    """What one budget, or one penalty, came to over the seeds.

    Attributes:
        budget: in `unit`; None where none was told.
        models: one a seed, at least one.
        unit: of the budget.
        settings: other settings by which it differs from its neighbours, (name, value) each.
        method: what held the networks: "Budget", "no budget", or the name of a penalty.
    """

    budget: float | None
    models: tuple[SweptModel, ...]
    unit: Unit = "share"
    settings: tuple[Setting, ...] = ()
    method: str = BUDGET

    @property
    def spent(self) -> Spread:
        """In the cost of the frontier."""
        return Spread.of([model.spent for model in self.models])

    @property
    def synops_per_timestep(self) -> Spread:
        """SynOps per time step of all counted layers."""
        return Spread.of([model.outcome.spent("synops_per_timestep") for model in self.models])

    @property
    def synops_per_sample(self) -> Spread:
        """SynOps per sample of all counted layers."""
        return Spread.of([model.outcome.spent("synops_per_sample") for model in self.models])

    @property
    def accuracy(self) -> Spread:
        """0 to 1; or another score."""
        return Spread.of([model.outcome.accuracy for model in self.models])

    @property
    def after_exit(self) -> tuple[Spread, Spread, Spread] | None:
        """With early exit: accuracy, time steps of a sample, and its SynOps; None unless all models have one."""
        exits = [x for model in self.models if (x := model.outcome.after_exit) is not None]
        if len(exits) < len(self.models):
            return None
        return (
            Spread.of([each.accuracy for each in exits]),
            Spread.of([each.exit_step for each in exits]),
            Spread.of([each.synops_per_sample for each in exits]),
        )

    @property
    def silent_share(self) -> Spread:
        """0 to 1."""
        return Spread.of([model.outcome.silent_share for model in self.models])

    @property
    def limit(self) -> Spread | None:
        """What the budget came to; shares differ from seed to seed. None where none was told."""
        return _spread([model.limit for model in self.models])

    @property
    def error(self) -> Spread | None:
        """How far the budget was missed; None where none was told."""
        return _spread([model.error for model in self.models])

    @property
    def steps(self) -> Spread | None:
        """Training steps of the runs themselves; None if unknown."""
        return _spread([model.outcome.steps for model in self.models])

    @property
    def steps_in_all(self) -> Spread | None:
        """Training steps, with those of the runs whose weights they started from; None if unknown."""
        return _spread([model.steps_in_all for model in self.models])

    def met(self, tolerance: float = TOLERANCE) -> int:
        """How many of the models met it."""
        return sum(model.met(tolerance) for model in self.models)

    @property
    def best(self) -> SweptModel:
        """The most accurate of its models."""
        return max(self.models, key=lambda model: model.outcome.accuracy)

    def restated(self, before: Cost, after: Cost) -> FrontierPoint:
        """The same point in another cost."""
        return replace(self, models=tuple(each.restated(before, after) for each in self.models))


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None
