"""What accuracy costs: the networks of a sweep and those of them worth having."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.plots.canvas import GREY, ORANGE, new_figure, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LIMIT = "#1b9e77"


@dataclass(frozen=True)
class FrontierMark:
    """One budget in the picture.

    Attributes:
        name: written beside it.
        spent: mean over its networks, > 0.
        accuracy: mean over its networks, 0 to 1; or another score.
        on_front: whether no other is both cheaper and better.
        limit: the budget; None if there was none.
        networks: (spent, accuracy) of each.
    """

    name: str
    spent: float
    accuracy: float
    on_front: bool
    limit: float | None = None
    networks: Sequence[tuple[float, float]] = ()


def plot_frontier(
    marks: Sequence[FrontierMark],
    path: str | Path | None = None,
    *,
    unit: str = "SynOps per time step",
    score: str = "accuracy",
) -> Figure:
    """Accuracy over what was spent, with the Pareto front as steps: the best that each amount buys.

    A budget is a short upright line at the height of what was reached with it.

    Args:
        marks: the budgets.
        path: where the PNG goes; None to leave it undrawn.
        unit: of what was spent.
        score: name of what stands in place of accuracy, which is drawn in percent.

    Raises:
        ValueError: there are no marks.
        ImportError: matplotlib is missing.

    Example:
        >>> marks = [FrontierMark("none", 4e5, 0.9, True), FrontierMark("0.5", 2e5, 0.89, True, limit=1.9e5)]
        >>> len(plot_frontier(marks).axes)
        1
    """
    if not marks:
        raise ValueError("plot_frontier: there are no marks, expected one a budget.")
    percent = score == "accuracy"
    marks = [_in_percent(mark) for mark in marks] if percent else marks
    figure = new_figure(9, 5)
    axes = figure.subplots()
    _draw_front(axes, sorted((m for m in marks if m.on_front), key=lambda mark: mark.spent))
    _draw_limits(axes, [(mark.limit, mark.accuracy) for mark in marks if mark.limit is not None])
    _draw_networks(axes, [mark for mark in marks if len(mark.networks) > 1])
    for mark in marks:
        _draw_mark(axes, mark)
    if all(mark.spent > 0 for mark in marks):
        axes.set_xscale("log")
    axes.margins(x=0.12, y=0.15)
    word = plain(score)
    axes.set(
        title=f"What {word} costs", xlabel=unit, ylabel=f"Test {word}{' (%)' if percent else ''}"
    )
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    if path is not None:
        save(figure, path)
    return figure


def _in_percent(mark: FrontierMark) -> FrontierMark:
    networks = [(spent, 100 * accuracy) for spent, accuracy in mark.networks]
    return replace(mark, accuracy=100 * mark.accuracy, networks=networks)


def _draw_front(axes: Axes, front: Sequence[FrontierMark]) -> None:
    spent, accuracy = [mark.spent for mark in front], [mark.accuracy for mark in front]
    axes.step(spent, accuracy, where="post", color=ORANGE, lw=1.2, label="Pareto front")


def _draw_limits(axes: Axes, limits: Sequence[tuple[float, float]]) -> None:
    x, y = [limit for limit, _ in limits], [accuracy for _, accuracy in limits]
    axes.plot(x, y, ls="", marker="|", ms=20, mew=1.5, color=_LIMIT, label="Budget")


def _draw_networks(axes: Axes, marks: Sequence[FrontierMark]) -> None:
    networks = [network for mark in marks for network in mark.networks]
    if networks:
        spent, accuracy = zip(*networks, strict=True)
        axes.scatter(spent, accuracy, s=10, color=GREY, label="One seed")


def _draw_mark(axes: Axes, mark: FrontierMark) -> None:
    face, at = ORANGE if mark.on_front else "white", (mark.spent, mark.accuracy)
    axes.scatter(*at, s=45, zorder=3, facecolor=face, edgecolor=ORANGE)
    name = plain(mark.name)
    axes.annotate(name, at, xytext=(-9, 6), textcoords="offset points", ha="right")
