"""In which order what is trained, and how the weight of a fixed penalty is chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.budget_comparison.methods import BRACKETS, BUDGET, FIXED, FREE, HINGE, Spec
from benchmarks.budget_comparison.store import Store

TRIES = 4  # weights of a sweep
_FURTHER = 10.0  # from one weight to the next while all spend too much, or too little


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Args:
        limits: SynOps per time step of the counted layers together.
        seeds: the first is the one that weights are swept on.
        methods: those of FIXED that take part.
    """

    limits: tuple[float, ...] = (80e3, 40e3, 16e3, 8e3, 4e3, 2e3)
    seeds: tuple[int, ...] = (1, 2, 3)
    methods: tuple[str, ...] = FIXED

    def stages(self) -> Iterator[Callable[[Store], list[Spec]]]:
        """Lists of runs, each made once those before are done."""
        yield lambda _: [Spec(FREE, seed) for seed in self.seeds]
        yield lambda _: [Spec(BUDGET, seed, limit) for limit in self.limits for seed in self.seeds]
        for _ in range(TRIES - 1):  # the first of these tries two weights
            yield self.sweep
        yield self.finals

    def sweep(self, store: Store) -> list[Spec]:
        """The weights that are tried on the first seed, as far as they are known."""
        return [
            fixed(store, method, self.seeds[0], limit, weight)
            for limit in self.limits
            for method in self.methods
            for weight in self.tried(store, method, limit)
        ]

    def finals(self, store: Store) -> list[Spec]:
        """Each seed with the weight for each limit."""
        return [
            fixed(store, method, seed, limit, self.best_weight(store, method, limit))
            for limit in self.limits
            for method in self.methods
            for seed in self.seeds
        ]

    def tried(self, store: Store, method: str, limit: float) -> list[float]:
        """The weights of a sweep: two to begin with, then one after the other where the limit should be met."""
        weights = list(BRACKETS[method])
        while len(weights) < TRIES:
            points = self._points(store, method, limit, weights)
            if len(points) < len(weights):
                break
            weights.append(next_weight(points, limit))
        return weights

    def best_weight(self, store: Store, method: str, limit: float) -> float | None:
        """Where the line through the two runs of the sweep around the limit meets it; None before it is done."""
        weights = self.tried(store, method, limit)
        points = self._points(store, method, limit, weights)
        return crossing(points, limit) if len(points) == TRIES else None

    def _points(
        self, store: Store, method: str, limit: float, weights: Sequence[float]
    ) -> list[tuple[float, float]]:
        """(weight, SynOps per time step, at least 1) of those that are done."""
        keys = [(method, self.seeds[0], limit, weight) for weight in weights]
        rows = [store.rows[key] for key in keys if key in store.rows]
        return [(row["weight"], max(row["synops_per_timestep"], 1.0)) for row in rows]


def fixed(store: Store, method: str, seed: int, limit: float, weight: float | None) -> Spec:
    """A run of a fixed penalty: with the masks of the Budget, and for the hinge the free network's shares of layers."""
    shares = store.rows[BUDGET, seed, limit, None]["shares"]
    targets = {}
    if method == HINGE:
        free = store.rows[FREE, seed, None, None]["by_layer"]
        targets = {name: limit * each / sum(free.values()) for name, each in free.items()}
    return Spec(method, seed, limit, weight, shares, targets)


def next_weight(points: Sequence[tuple[float, float]], target: float) -> float:
    """The weight to try next: further out while all (weight, value) are on one side of the target, else the crossing."""
    weights, values = zip(*points, strict=True)
    if max(values) < target:
        return min(weights) / _FURTHER
    if min(values) > target:
        return max(weights) * _FURTHER
    return crossing(points, target)


def crossing(points: Sequence[tuple[float, float]], target: float) -> float:
    """The weight at which a falling curve of (weight, value) meets the target, to three digits.

    Between the two neighbours around it, by a straight line in logarithms; if there are none, the weight
    with the nearest value.
    """
    ordered = sorted(points)
    for (low, high_value), (high, low_value) in pairwise(ordered):
        if high_value >= target >= low_value > 0 and high_value > low_value:
            part = math.log(high_value / target) / math.log(high_value / low_value)
            return float(f"{low * (high / low) ** part:.3g}")
    return min(ordered, key=lambda point: abs(point[1] - target))[0]
