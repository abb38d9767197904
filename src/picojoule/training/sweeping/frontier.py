"""The accuracy-energy frontier: what each budget buys, over all seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from picojoule.training.measure import ACCURACY
from picojoule.training.sweeping.config import SweepConfig, SweepStep
from picojoule.training.sweeping.outcome import Outcome, limit_of
from picojoule.training.sweeping.pareto import cheapest_within, pareto_front

TOLERANCE = 0.05


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
    """One trained network of a sweep.

    Attributes:
        seed: of its run.
        limit: the budget in the unit of `spent`; None for the unconstrained network.
        spent: what it spends on the test set: SynOps per time step (per sample, or joules per sample, if the
            budgets are in these), of the layers that the budgets are about.
        outcome: all figures.
        folder: its folder in the sweep's.
        within: share of the limit that may be left over; None: any.
    """

    seed: int
    limit: float | None
    spent: float
    outcome: Outcome
    folder: str
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


@dataclass(frozen=True)
class FrontierPoint:
    """What one budget came to over the seeds.

    Attributes:
        budget: in the sweep's unit; None for the unconstrained network.
        models: one a seed, at least one.
    """

    budget: float | None
    models: tuple[SweptModel, ...]

    @property
    def spent(self) -> Spread:
        """In the unit of the budget; SynOps per time step for shares."""
        return Spread.of([model.spent for model in self.models])

    @property
    def accuracy(self) -> Spread:
        """0 to 1."""
        return Spread.of([model.outcome.accuracy for model in self.models])

    @property
    def silent_share(self) -> Spread:
        """0 to 1."""
        return Spread.of([model.outcome.silent_share for model in self.models])

    @property
    def limit(self) -> Spread | None:
        """What the budget came to; shares differ from seed to seed. None for the unconstrained network."""
        limits = [model.limit for model in self.models if model.limit is not None]
        return Spread.of(limits) if limits else None

    @property
    def error(self) -> Spread | None:
        """How far the budget was missed; None for the unconstrained network."""
        errors = [model.error for model in self.models if model.error is not None]
        return Spread.of(errors) if errors else None

    def met(self, tolerance: float = TOLERANCE) -> int:
        """How many of the models met it."""
        return sum(model.met(tolerance) for model in self.models)

    @property
    def best(self) -> SweptModel:
        """The most accurate of its models."""
        return max(self.models, key=lambda model: model.outcome.accuracy)


@dataclass(frozen=True)
class Frontier:
    """What a sweep found out.

    Attributes:
        config: the sweep.
        points: the unconstrained network first, then the budgets from the loosest to the tightest.

    Example:
        >>> config, spent = SweepConfig(budgets=(0.5,)), {None: 400.0, 0.5: 210.0}
        >>> outcomes = {
        ...     step: Outcome(0.9, {"4": spent[step.budget]}, ("4",), silent_share=0.0, num_timesteps=5)
        ...     for step in config.steps(seed=1)
        ... }
        >>> half = Frontier.of(config, outcomes).cheapest_within(points=1.0)
        >>> half.budget, half.error.mean, half.met()
        (0.5, 0.05, 1)
    """

    config: SweepConfig
    points: tuple[FrontierPoint, ...]

    @classmethod
    def of(cls, config: SweepConfig, outcomes: Mapping[SweepStep, Outcome]) -> Frontier:
        """Gather the runs that are complete; a budget without any is left out."""
        points = []
        for budget in (None, *config.budgets):
            steps = [SweepStep(seed, budget) for seed in config.all_seeds]
            models = tuple(_model(config, step, outcomes) for step in steps if step in outcomes)
            if models:
                points.append(FrontierPoint(budget, models))
        return cls(config, tuple(points))

    @property
    def unit(self) -> str:
        """What `spent` is in, in words."""
        return {
            "share": "SynOps per time step, in the layers that training can change",
            "synops_per_timestep": "SynOps per time step",
            "synops_per_sample": "SynOps per sample",
            "energy_j": f"modelled J per sample on {self.config.training.profile}",
        }[self.config.unit]

    @property
    def score_name(self) -> str:
        """What `accuracy` is, in words."""
        return self.points[0].models[0].outcome.score_name if self.points else ACCURACY

    def front(self) -> list[FrontierPoint]:
        """The points that no other dominates in mean accuracy and mean spending, the cheapest first."""
        return [self.points[index] for index in pareto_front(*self._means())]

    def cheapest_within(self, points: float) -> FrontierPoint | None:
        """The cheapest whose mean accuracy is at most so many points (hundredths) below the best mean.

        Raises:
            ValueError: `points` is negative.
        """
        index = cheapest_within(*self._means(), margin=points / 100)
        return None if index is None else self.points[index]

    def _means(self) -> tuple[list[float], list[float]]:
        spent = [point.spent.mean for point in self.points]
        return spent, [point.accuracy.mean for point in self.points]

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        front = self.front()
        points = [_point_figures(point, point in front) for point in self.points]
        return {"config": self.config.to_dict(), "unit": self.unit, "points": points}


def _model(
    config: SweepConfig, step: SweepStep, outcomes: Mapping[SweepStep, Outcome]
) -> SweptModel:
    limit = None
    if step.budget is not None:
        limit = limit_of(step.budget, config.unit, outcomes[SweepStep(step.seed, None)])
    outcome = outcomes[step]
    spent, within = outcome.spent(config.unit), config.training.within
    return SweptModel(step.seed, limit, spent, outcome, step.name, within)


def _point_figures(point: FrontierPoint, on_front: bool) -> dict[str, Any]:
    return {
        "budget": point.budget,
        "limit": point.limit and point.limit._asdict(),
        "spent": point.spent._asdict(),
        "error": point.error and point.error._asdict(),
        "accuracy": point.accuracy._asdict(),
        "silent_share": point.silent_share._asdict(),
        "met": point.met(),
        "on_front": on_front,
        "models": [_model_figures(model) for model in point.models],
    }


def _model_figures(model: SweptModel) -> dict[str, Any]:
    figures = asdict(model) | {"error": model.error, "met": model.met()}
    return figures | {"outcome": model.outcome.to_dict()}
