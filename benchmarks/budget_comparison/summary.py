"""What the runs say: each method at each budget, and the accuracy of the others at Budget's SynOps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.budget_comparison.methods import BUDGET, FIXED, FREE, HINGE
from benchmarks.budget_comparison.plan import Plan, off, spent
from benchmarks.budget_comparison.store import Row, Store


def summary(store: Store, plan: Plan) -> dict[str, Any]:
    """Figures of each method and budget, of the runs that are done."""
    free = _rows(store, plan, FREE, None, None)
    if len(free) < len(plan.seeds):
        return {"no budget": None, "entries": []}
    entries = [
        entry
        for share in plan.shares
        for method in plan.methods
        if (entry := _entry(store, plan, method, share))
    ]
    for entry in entries:
        if entry["method"] == BUDGET:
            entry["fixed_at_equal_synops"] = {
                method: at_equal_synops(points, entry["spent_share"])
                for method in FIXED
                if len(points := _points(entries, method)) > 1
            }
    accuracies = [row["accuracy"] for row in free]
    return {
        FREE: {
            "accuracy": mean(accuracies),
            "accuracy_spread": _spread(accuracies),
            "synops_per_timestep": mean(row["synops_per_timestep"] for row in free),
            "silent_share": mean(row["silent_share"] for row in free),
        },
        "entries": entries,
    }


def _entry(store: Store, plan: Plan, method: str, share: float) -> dict[str, Any] | None:
    weight = None
    if method in FIXED:
        if any(store.get(spec) is None for spec in plan.sweep(store, method)):
            return None
        weight = plan.best_weight(store, method, share)
    told = share if method in (BUDGET, HINGE) else None
    rows = _rows(store, plan, method, told, weight)
    if not rows:
        return None
    budgets = [share * spent(store, row["seed"]) for row in rows]
    missed = [off(row, budget) for row, budget in zip(rows, budgets, strict=True)]
    accuracies = [row["accuracy"] for row in rows]
    free = {row["seed"]: row["accuracy"] for row in _rows(store, plan, FREE, None, None)}
    return {
        "share": share,
        "method": method,
        "weight": weight,
        "seeds": [row["seed"] for row in rows],
        "accuracy": mean(accuracies),
        "accuracy_spread": _spread(accuracies),
        "below_no_budget": mean(free[row["seed"]] - row["accuracy"] for row in rows),
        "hit_error": mean(abs(each) for each in missed),
        "off": missed,
        "spent_share": share * (1 + mean(missed)),
        "silent_share": mean(row["silent_share"] for row in rows),
    }


def _rows(
    store: Store, plan: Plan, method: str, share: float | None, weight: float | None
) -> list[Row]:
    keys = [(method, seed, share, weight) for seed in plan.seeds]
    return [store.rows[key] for key in keys if key in store.rows]


def _points(entries: Sequence[dict[str, Any]], method: str) -> list[tuple[float, float]]:
    """(share of the unconstrained SynOps that was spent, accuracy), each once."""
    points = {
        entry["weight"]: (entry["spent_share"], entry["accuracy"])
        for entry in entries
        if entry["method"] == method
    }
    return sorted(set(points.values()))


def at_equal_synops(points: Sequence[tuple[float, float]], share: float) -> float | None:
    """Accuracy where a method spends that share: on the line through its neighbours, over log SynOps.

    None where the method spent that neither less nor more, by more than 5 %.
    """
    ordered = sorted(points)
    for (x0, y0), (x1, y1) in pairwise(ordered):
        if x0 <= share <= x1 and x0 < x1:
            return y0 + (y1 - y0) * math.log(share / x0) / math.log(x1 / x0)
    x, y = min(ordered, key=lambda point: abs(math.log(point[0] / share)))
    return y if abs(share / x - 1) <= 0.05 else None


def _spread(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def print_summary(console: Console, found: dict[str, Any]) -> None:
    """The table, and where a fixed penalty beats the Budget."""
    if not found[FREE]:
        return
    free = found[FREE]
    table = Table(title="test images; mean and standard deviation over seeds")
    for column in ("budget", "method", "weight", "accuracy", "below no budget", "hit error"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for column in ("off, each seed", "silent"):
        table.add_column(column, justify="right")
    silent = f"{free['silent_share']:.1%}"
    table.add_row("none", "", "", _accuracy(free), "", "", "", silent)
    for entry in found["entries"]:
        table.add_row(
            f"{entry['share']:.0%}",
            entry["method"],
            "" if entry["weight"] is None else f"{entry['weight']:.3g}",
            _accuracy(entry),
            f"{100 * entry['below_no_budget']:+.2f}",
            f"{entry['hit_error']:.1%}",
            " ".join(f"{each:+.1%}" for each in entry["off"]),
            f"{entry['silent_share']:.1%}",
        )
    console.print(table)
    for entry in found["entries"]:
        for method, accuracy in entry.get("fixed_at_equal_synops", {}).items():
            if accuracy is not None and accuracy > entry["accuracy"]:
                console.print(
                    f"{entry['share']:.0%}: {method} is {100 * (accuracy - entry['accuracy']):.2f} points above "
                    f"Budget at equal SynOps (Budget's spread over seeds: {100 * (entry['accuracy_spread'] or 0):.2f})",
                    highlight=False,
                )


def _accuracy(figures: dict[str, Any]) -> str:
    spread = figures["accuracy_spread"]
    return f"{figures['accuracy']:.2%}" + ("" if spread is None else f" ± {100 * spread:.2f}")
