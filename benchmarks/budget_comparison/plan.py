"""In which order what is trained, and how the weight of a fixed penalty is chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.budget_comparison.methods import BUDGET, FIXED, FREE, HINGE, WEIGHTS, Spec
from benchmarks.budget_comparison.runs import TRAINED
from benchmarks.budget_comparison.store import Row, Store

NEAR = 0.05  # a weight that hits the budget as near as this is judged by its accuracy


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Args:
        shares: budgets, of the unconstrained SynOps of the same seed.
        seeds: the first is the one that weights are swept on.
        methods: those of FIXED and BUDGET that take part.
    """

    shares: tuple[float, ...] = (0.5, 0.25, 0.1)
    seeds: tuple[int, ...] = (1, 2, 3)
    methods: tuple[str, ...] = (BUDGET, *FIXED)

    def stages(self) -> Iterator[Callable[[Store], list[Spec]]]:
        """Lists of runs, each made once those before are done."""
        yield lambda _: [Spec(FREE, seed) for seed in self.seeds]
        if BUDGET in self.methods:
            yield lambda store: [
                Spec(BUDGET, seed, share, limits=limits(store, seed, share))
                for share in self.shares
                for seed in self.seeds
            ]
        for method in self.methods:
            if method in FIXED:
                yield lambda store, method=method: self.sweep(store, method)
                yield lambda store, method=method: self.finals(store, method)

    def sweep(self, store: Store, method: str) -> list[Spec]:
        """The weights that are tried on the first seed."""
        seed = self.seeds[0]
        if method == HINGE:  # it is told its target; the others are only told a weight
            return [
                Spec(method, seed, share, weight, limits(store, seed, share))
                for share in self.shares
                for weight in WEIGHTS[method]
            ]
        return [Spec(method, seed, weight=weight) for weight in WEIGHTS[method]]

    def finals(self, store: Store, method: str) -> list[Spec]:
        """Each seed with the best weight for each budget."""
        found = []
        for share in self.shares:
            weight = self.best_weight(store, method, share)
            for seed in self.seeds:
                told = method == HINGE
                bounds = limits(store, seed, share) if told else ()
                found.append(Spec(method, seed, share if told else None, weight, bounds))
        return found

    def best_weight(self, store: Store, method: str, share: float) -> float:
        """From the runs of the sweep.

        Of the hinge: the most accurate of those that hit the budget within 5 %, else the nearest. Of the
        others: where the line through the two neighbours around the budget meets it, both in logarithms.
        """
        seed = self.seeds[0]
        rows = [row for spec in self.sweep(store, method) if (row := store.get(spec))]
        budget = share * spent(store, seed)
        if method == HINGE:
            near = [row for row in rows if abs(off(row, budget)) <= NEAR]
            if near:
                return float(max(near, key=lambda row: row["accuracy"])["weight"])
            return float(min(rows, key=lambda row: abs(off(row, budget)))["weight"])
        points = [(row["weight"], row["synops_per_timestep"]) for row in rows]
        return crossing(points, budget)


def spent(store: Store, seed: int) -> float:
    """What the unconstrained network spends."""
    return float(store.rows[(FREE, seed, None, None)]["synops_per_timestep"])


def limits(store: Store, seed: int, share: float) -> tuple[float, ...]:
    """The share of what each layer spends without a budget."""
    by_layer = store.rows[(FREE, seed, None, None)]["by_layer"]
    return tuple(share * by_layer[name] for name in TRAINED)


def off(row: Row, budget: float) -> float:
    """How far a run is above the budget, by the budget."""
    return float(row["synops_per_timestep"]) / budget - 1


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
