"""The accuracy-energy frontier: what each amount of SynOps or joules buys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from picojoule.atomic_write import write_json
from picojoule.training.files.json_file import read_json
from picojoule.training.record.measure import ACCURACY
from picojoule.training.sweeping.axes import combinations
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.cost import Cost, common_cost
from picojoule.training.sweeping.frontier_record import figures_of, read_figures
from picojoule.training.sweeping.outcome import Outcome, limit_of
from picojoule.training.sweeping.pareto import cheapest_within, hypervolume, pareto_front
from picojoule.training.sweeping.points import BUDGET, FREE, FrontierPoint, SweptModel
from picojoule.training.sweeping.sweep_run import SweepRun

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Frontier:
    """Trained networks by what they spend and how accurate they are.

    Attributes:
        cost: what `spent` of the points is.
        points: in an order of your own; those of a sweep by settings, and from no budget to the tightest.

    Raises:
        ValueError: the cost is per time step, and the networks take different numbers of them for a sample; or
            their scores are not of one kind.

    Example:
        >>> config, spent = SweepConfig(budgets=(0.5,)), {None: 400.0, 0.5: 210.0}
        >>> outcomes = {
        ...     run: Outcome(0.9, {"4": spent[run.budget]}, ("4",), silent_share=0.0, num_timesteps=5)
        ...     for run in config.runs(seed=1)
        ... }
        >>> frontier = Frontier.of(config, outcomes)
        >>> half = frontier.cheapest_within(points=1.0)
        >>> half.budget, half.error.mean, half.met()
        (0.5, 0.05, 1)
        >>> f"{frontier.hypervolume():.4f}"  # 0.9 * log10(400 / 210)
        '0.2519'
    """

    cost: Cost
    points: tuple[FrontierPoint, ...]

    def __post_init__(self) -> None:
        if self.cost.quantity == "synops_per_timestep" and not _equal_timesteps(self.points):
            raise ValueError(
                "Frontier: the networks take different numbers of time steps for a sample; compare SynOps per sample."
            )
        scores = {model.outcome.score_name for point in self.points for model in point.models}
        if len(scores) > 1:
            raise ValueError(
                f"Frontier: the networks have different scores ({', '.join(sorted(scores))}), which cannot be compared."
            )

    @classmethod
    def of(cls, config: SweepConfig, outcomes: Mapping[SweepRun, Outcome]) -> Frontier:
        """Gather the runs that are complete; a budget without any is left out.

        Where they take different numbers of time steps, the cost is per sample.
        """
        points = []
        for settings in combinations(config.axes):
            for budget in (None, *config.budgets):
                runs = [SweepRun(seed, budget, settings) for seed in config.all_seeds]
                models = tuple(_model(config, run, outcomes) for run in runs if run in outcomes)
                method = FREE if budget is None else BUDGET
                if models:
                    points.append(FrontierPoint(budget, models, config.unit, settings, method))
        return _in_common([(config.cost, points)])

    # ---- which are worth having

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

    @property
    def reference(self) -> tuple[float, float]:
        """What :meth:`hypervolume` takes by itself: the most that a point spends, and an accuracy (or score) of 0."""
        return max((point.spent.mean for point in self.points), default=0.0), 0.0

    def hypervolume(self, reference: tuple[float, float] | None = None) -> float:
        """The area that the front dominates, in accuracy times decades of spending.

            V = integral of max(0, a(c) - a0) over log10(c), from 0 to log10(c0)

        with a(c) the best mean accuracy that is to be had for c, and (c0, a0) the reference. Spending is taken in
        logarithms since budgets are ratios: the step from 8,000 to 4,000 SynOps counts as much as that from 80,000 to
        40,000, which on a linear scale would be nearly all of the area. More is better. Frontiers are
        compared by it at the same reference. A point that spends nothing is left out: what a silent network answers
        does not depend on its input.

        Args:
            reference: what is spent there, and the accuracy from which on one counts; None for :attr:`reference`.

        Raises:
            ValueError: what is spent at the reference is not > 0.
        """
        spent, accuracy = self.reference if reference is None else reference
        means = [(c, a) for c, a in zip(*self._means(), strict=True) if c > 0]
        if not means and reference is None:
            return 0.0
        if not 0 < spent < math.inf:
            raise ValueError(f"hypervolume: the reference spends {spent}, expected a number > 0.")
        costs = [math.log10(cost) for cost, _ in means]
        return hypervolume(costs, [a for _, a in means], (math.log10(spent), accuracy))

    def _means(self) -> tuple[list[float], list[float]]:
        spent = [point.spent.mean for point in self.points]
        return spent, [point.accuracy.mean for point in self.points]

    # ---- several frontiers

    def merge(self, *others: Frontier) -> Frontier:
        """One frontier of the points of several; equal points come once.

        Its cost is one that all have: SynOps per sample where the numbers of time steps differ, those of the
        trainable layers where a frontier has no others.

        Raises:
            ValueError: some are in joules, and others in SynOps or in joules of another chip; or scores differ in kind.
        """
        return _in_common([(each.cost, each.points) for each in (self, *others)])

    def restated(self, cost: Cost) -> Frontier:
        """The same points in the cost of a frontier that this one was merged into."""
        return Frontier(cost, tuple(point.restated(self.cost, cost) for point in self.points))

    def by_method(self) -> dict[str, Frontier]:
        """A frontier for each method, each with the networks that have no budget."""
        methods = dict.fromkeys(point.method for point in self.points if point.method != FREE)
        return {
            method: Frontier(
                self.cost, tuple(each for each in self.points if each.method in (method, FREE))
            )
            for method in methods
        }

    # ---- as JSON

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        front = self.front()
        points = [figures_of(point, point in front) for point in self.points]
        return {"cost": asdict(self.cost), "unit": str(self.cost), "points": points}

    @classmethod
    def from_dict(cls, figures: Mapping[str, Any]) -> Frontier:
        """What :meth:`to_dict` gave; what follows from other figures is not read.

        Raises:
            ValueError: these are no figures of a frontier, or damaged.
        """
        return cls(*read_figures(figures))

    def save(self, path: str | Path) -> None:
        """Write all figures as JSON, atomically.

        Raises:
            OSError: it could not be written.
        """
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Frontier:
        """Read what :meth:`save` wrote, such as the `frontier.json` of a sweep.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or holds no frontier.
        """
        figures = read_json(path, "Run the sweep again; it is only read.")
        try:
            return cls.from_dict(figures)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _in_common(given: Sequence[tuple[Cost, Sequence[FrontierPoint]]]) -> Frontier:
    """One frontier, in a cost that all points have."""
    everything = [point for _, points in given for point in points]
    costs = {cost for cost, _ in given}
    cost = common_cost(costs, equal_timesteps=_equal_timesteps(everything))
    once: list[FrontierPoint] = []
    for before, points in given:
        restated = [point.restated(before, cost) for point in points]
        once += [point for point in restated if point not in once]
    return Frontier(cost, tuple(once))


def _equal_timesteps(points: Sequence[FrontierPoint]) -> bool:
    lengths = [model.outcome.num_timesteps for point in points for model in point.models]
    return not lengths or max(lengths) - min(lengths) <= _ROUNDING * max(lengths)


def _model(config: SweepConfig, run: SweepRun, outcomes: Mapping[SweepRun, Outcome]) -> SweptModel:
    limit = None
    if run.budget is not None:
        free, *_ = config.before(run)
        limit = limit_of(run.budget, config.unit, outcomes[free])
    outcome = outcomes[run]
    steps = [outcomes[each].steps for each in config.lineage(run)]
    known = [each for each in steps if each is not None]
    in_all = sum(known) if len(known) == len(steps) else None
    spent, within = config.cost.of(outcome), config.training.within
    return SweptModel(run.seed, limit, spent, outcome, run.name, in_all, within)
