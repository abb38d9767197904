"""What the runs say: each method at each limit, and the accuracy of the others at Budget's SynOps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.budget_comparison.methods import BUDGET, FIXED, FREE
from benchmarks.budget_comparison.plan import Plan
from benchmarks.budget_comparison.store import Row, Store


def summary(store: Store, plan: Plan) -> dict[str, Any]:
    """Figures of each method and limit, of the runs that are done."""
    free = _rows(store, plan, FREE, None, None)
    if len(free) < len(plan.seeds):
        return {FREE: None, "entries": []}
    entries = [
        entry
        for limit in plan.limits
        for method in (BUDGET, *plan.methods)
        if (entry := _entry(store, plan, method, limit))
    ]
    for entry in entries:
        if entry["method"] == BUDGET:
            entry["fixed_at_equal_synops"] = {
                method: at_equal_synops(points, entry["synops_per_timestep"])
                for method in FIXED
                if (points := _points(entries, method))
            }
    accuracies = [row["accuracy"] for row in free]
    return {
        FREE: {
            "accuracy": mean(accuracies),
            "accuracy_spread": _spread(accuracies),
            "synops_per_timestep": mean(row["synops_per_timestep"] for row in free),
        },
        "entries": entries,
    }


def _entry(store: Store, plan: Plan, method: str, limit: float) -> dict[str, Any] | None:
    weight = None
    if method in FIXED:
        weight = plan.best_weight(store, method, limit)
        if weight is None:
            return None
    rows = _rows(store, plan, method, limit, weight)
    if not rows:
        return None
    free = {row["seed"]: row["accuracy"] for row in _rows(store, plan, FREE, None, None)}
    found = {
        "limit": limit,
        "method": method,
        "weight": weight,
        "seeds": [row["seed"] for row in rows],
        **_figures(rows, limit, "accuracy", "synops_per_timestep"),
        "below_no_budget": mean(free[row["seed"]] - row["accuracy"] for row in rows),
    }
    if method in FIXED:
        found["trimmed"] = _figures(rows, limit, "accuracy_trimmed", "synops_trimmed")
    return found


def _figures(rows: Sequence[Row], limit: float, accuracy: str, synops: str) -> dict[str, Any]:
    """Means over seeds, and how far each is above the limit, by the limit."""
    accuracies = [row[accuracy] for row in rows]
    off = [row[synops] / limit - 1 for row in rows]
    return {
        "accuracy": mean(accuracies),
        "accuracy_spread": _spread(accuracies),
        "synops_per_timestep": mean(row[synops] for row in rows),
        "off": off,
        "hit_error": mean(abs(each) for each in off),
    }


def _rows(
    store: Store, plan: Plan, method: str, limit: float | None, weight: float | None
) -> list[Row]:
    keys = [(method, seed, limit, weight) for seed in plan.seeds]
    return [store.rows[key] for key in keys if key in store.rows]


def _points(entries: Sequence[dict[str, Any]], method: str) -> list[tuple[float, float]]:
    """(SynOps per time step, accuracy) of a method at each limit."""
    chosen = (entry for entry in entries if entry["method"] == method)
    return sorted((entry["synops_per_timestep"], entry["accuracy"]) for entry in chosen)


def at_equal_synops(points: Sequence[tuple[float, float]], synops: float) -> float | None:
    """Accuracy where a method spends so much: on the line through its neighbours, over log SynOps.

    None where the method spent that neither less nor more, by more than 5 %.
    """
    ordered = sorted(points)
    for (x0, y0), (x1, y1) in pairwise(ordered):
        if 0 < x0 <= synops <= x1 and x0 < x1:
            return y0 + (y1 - y0) * math.log(synops / x0) / math.log(x1 / x0)
    x, y = min(ordered, key=lambda point: abs(point[0] - synops))
    return y if abs(synops - x) <= 0.05 * x else None


def _spread(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def print_summary(console: Console, found: dict[str, Any]) -> None:
    """The table, and where a fixed penalty beats the Budget."""
    if not found[FREE]:
        return
    table = Table(title="test images; mean and standard deviation over seeds")
    for column in ("limit", "method", "weight", "accuracy", "below no budget", "SynOps"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for column in ("off, each seed", "trimmed", "off, trimmed"):
        table.add_column(column, justify="right")
    free = found[FREE]
    table.add_row("none", "", "", _accuracy(free), "", f"{free['synops_per_timestep']:,.0f}")
    for entry in found["entries"]:
        trimmed = entry.get("trimmed")
        table.add_row(
            f"{entry['limit']:,.0f}",
            entry["method"],
            "" if entry["weight"] is None else f"{entry['weight']:.3g}",
            _accuracy(entry),
            f"{100 * entry['below_no_budget']:+.2f}",
            f"{entry['synops_per_timestep']:,.0f}",
            _off(entry),
            _accuracy(trimmed) if trimmed else "",
            _off(trimmed) if trimmed else "",
        )
    console.print(table)
    for entry in found["entries"]:
        for method, accuracy in entry.get("fixed_at_equal_synops", {}).items():
            if accuracy is not None and accuracy > entry["accuracy"]:
                console.print(
                    f"{entry['limit']:,.0f}: {method} is {100 * (accuracy - entry['accuracy']):.2f} points above "
                    f"Budget at equal SynOps (Budget's spread over seeds: {100 * (entry['accuracy_spread'] or 0):.2f})",
                    highlight=False,
                )


def _accuracy(figures: dict[str, Any]) -> str:
    spread = figures["accuracy_spread"]
    return f"{figures['accuracy']:.2%}" + ("" if spread is None else f" ± {100 * spread:.2f}")


def _off(figures: dict[str, Any]) -> str:
    return " ".join(f"{each:+.1%}" for each in figures["off"])
