"""The networks of a comparison of methods, such as `benchmarks/results/budget.json`, as a frontier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from picojoule.training.files.json_file import read_json
from picojoule.training.settings.config import TrainConfig
from picojoule.training.settings.saved import SPEED_ONLY, with_rate
from picojoule.training.sweeping.cost import Cost
from picojoule.training.sweeping.figures import amount, bound, count, listed, or_none, word
from picojoule.training.sweeping.frontier import Frontier
from picojoule.training.sweeping.frontier_record import outcome_in
from picojoule.training.sweeping.points import FrontierPoint, SweptModel
from picojoule.training.sweeping.sweep_run import Setting

_NOT_COMPARED = ("seed", *SPEED_ONLY)


@dataclass(frozen=True)
class Comparison:
    """Networks that others may be shown beside.

    Attributes:
        frontier: theirs, in SynOps of the layers that training can change; each method a `method` of its points.
        settings: how all of them were trained, by the names of :class:`TrainConfig`.
    """

    frontier: Frontier
    settings: dict[str, Any]

    def differences(self, training: TrainConfig) -> list[str]:
        """In which of its settings another training differs, as text."""
        here, there = with_rate(training.to_dict()), with_rate(self.settings)
        return [
            f"{name} is {there[name]!r} there and {here[name]!r} here"
            for name in self.settings
            if there[name] != here[name]
        ]


def read_comparison(path: str | Path) -> Comparison:
    """Read the runs of a comparison.

    Of each method those settings are taken that were trained with most of the seeds: weights that were only tried, on
    one seed, are left out where others were trained with all.

    Args:
        path: JSON with `settings` (of them `num_timesteps`), and `runs` with `method`, `seed`, `accuracy`,
            `by_layer` (SynOps per time step of the layers that training can change), `silent_share`, and what
            applies of `share`, `weight` and `budget`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds no comparison.
    """
    figures = read_json(path, "Give the result file of a comparison.")
    try:
        known = {field.name for field in fields(TrainConfig)} - set(_NOT_COMPARED)
        settings = {name: value for name, value in figures["settings"].items() if name in known}
        points = _points(listed(figures["runs"]), settings["num_timesteps"])
        frontier = Frontier(Cost("synops_per_timestep", "trainable"), points)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
        raise ValueError(
            f"{path} is no comparison of methods, or damaged ({reason}). Expected a file such as "
            "benchmarks/results/budget.json."
        ) from error
    if not points:
        raise ValueError(f"{path} is a comparison without runs; nothing can be shown beside it.")
    return Comparison(frontier, settings)


def _points(runs: list[Any], num_timesteps: float) -> tuple[FrontierPoint, ...]:
    by_method: dict[str, dict[tuple[Any, Any], list[SweptModel]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in runs:
        asked = or_none(bound, run.get("share")), or_none(amount, run.get("weight"))
        by_method[word(run["method"])][asked].append(_model(run, num_timesteps))
    return tuple(
        _point(method, asked, models)
        for method, points in by_method.items()
        for asked, models in points.items()
        if len(models) == max(map(len, points.values()))
    )


def _point(method: str, asked: tuple[Any, Any], models: list[SweptModel]) -> FrontierPoint:
    share, weight = asked
    settings: tuple[Setting, ...] = () if weight is None else (("weight", weight),)
    ordered = sorted(models, key=lambda model: model.seed)
    return FrontierPoint(share, tuple(ordered), "share", settings, method)


def _model(run: Mapping[str, Any], num_timesteps: float) -> SweptModel:
    synops = run["by_layer"]
    outcome = outcome_in(
        {
            "accuracy": run["accuracy"],
            "synops_per_timestep": synops,
            "trainable": list(synops),
            "silent_share": run.get("silent_share", 0.0),
            "num_timesteps": num_timesteps,
        }
    )
    spent = Cost("synops_per_timestep", "trainable").of(outcome)
    limit = or_none(bound, run.get("budget"))
    return SweptModel(count(run["seed"]), limit, spent, outcome)
