"""The picture of `picojoule sweep`."""

from __future__ import annotations

from pathlib import Path

from picojoule.cli.frontier_table import budget_text, comparable
from picojoule.plots import FrontierMark, plot_frontier
from picojoule.training import Frontier, FrontierPoint
from picojoule.training.sweeping.points import FREE
from picojoule.training.sweeping.sweep_run import settings_text


def draw_frontier(frontier: Frontier, path: Path, beside: Frontier | None = None) -> None:
    """Draw the fronts as PNG: of the sweep, one for each of its settings, and of other methods beside it."""
    frontier, beside = comparable(frontier, beside)
    marks = [
        _mark(each, point, settings, budget_text(point), point.limit and point.limit.mean)
        for settings, each in _by_settings(frontier).items()
        for point in each.points
    ]
    if beside is not None:
        for method, each in beside.by_method().items():
            marks += [_mark(each, point, method) for point in each.points]
        free = [point for point in beside.points if point.method == FREE]
        marks += [_mark(beside, point, FREE) for point in free]  # last: over those of the methods
    unit = str(frontier.cost)
    plot_frontier(marks, path, unit=unit[0].upper() + unit[1:], score=frontier.score_name)


def _by_settings(frontier: Frontier) -> dict[str, Frontier]:
    """The points of the same settings as a frontier each, by name; of one alone it is empty."""
    found = dict.fromkeys(point.settings for point in frontier.points)
    if len(found) <= 1:
        return {"": frontier}
    return {
        settings_text(settings): Frontier(
            frontier.cost, tuple(point for point in frontier.points if point.settings == settings)
        )
        for settings in found
    }


def _mark(
    frontier: Frontier,
    point: FrontierPoint,
    method: str,
    name: str = "",
    limit: float | None = None,
) -> FrontierMark:
    return FrontierMark(
        name=name,
        spent=point.spent.mean,
        accuracy=point.accuracy.mean,
        on_front=point in frontier.front(),
        limit=limit,
        networks=[(model.spent, model.outcome.accuracy) for model in point.models],
        method=method,
    )
