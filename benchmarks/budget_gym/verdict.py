"""When a run has passed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.budget_gym.measure import Figures
from benchmarks.budget_gym.tasks import Task

BELOW, ABOVE = 0.05, 0.01  # of the limit, after the trim
NEAR = 0.10  # before it
SWING = 0.15  # in the last third of the training
ROUNDING = 1e-3  # of a floor


def floors(task: Task, figures: Figures, declared: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What became of the floor of each spiking layer; declared is what the Budget says it cannot meet."""
    floor = task.limit.floor
    if floor is None:
        return {}
    lost, found = _layers(each for each in declared if each.startswith("min_rate")), {}
    for name, rates in figures.rates.items():
        rate = (rates.mean() if task.limit.floor_of == "layer" else rates.min()).item()
        kept = rate >= floor * (1 - ROUNDING)
        found[name] = {"rate": rate, "kept": kept, "declared": name in lost}
    return found


def silenced(free: Figures, figures: Figures, declared: Iterable[str]) -> list[str]:
    """Layers that fell silent under the budget, and were not declared."""
    return sorted(figures.silent - free.silent - _layers(declared))


def _layers(declared: Iterable[str]) -> set[str]:
    """Of constraints such as "min_rate of each neuron of 2"."""
    return {name.rpartition(" of ")[2] for name in declared}


def verdict(row: Mapping[str, Any]) -> dict[str, bool]:
    """Each rule, and whether it is kept; without a task nothing pulls SynOps up to a limit."""
    learns = row["accuracy"]["after"] is not None
    before, after = max(row["before"].values()), max(row["after"].values())
    return {
        "after trim": after <= 1 + ABOVE and (not learns or after >= 1 - BELOW),
        "before trim": all(
            each <= 1 + NEAR and (not learns or each >= 1 - NEAR) for each in (before, row["late"])
        ),
        "swings": row["swing"] <= SWING,
        "alive": not row["silenced"],
        "floors": all(each["kept"] or each["declared"] for each in row["floors"].values()),
    }
