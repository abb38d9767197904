"""What accuracy costs: the networks of a sweep and those of them worth having."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.plots.canvas import GREY, LAYER_COLOURS, ORANGE, new_figure, plain, save, with_prefix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LIMIT = "black"
_OTHERS = [*(colour for colour in LAYER_COLOURS if colour != ORANGE), "0.35"]
_SHAPES = "sD^vPX"
_FEW_DECADES = 200  # the most over the least


@dataclass(frozen=True)
class FrontierMark:
    """One budget in the picture.

    Attributes:
        name: written beside it; nothing is if it is empty.
        spent: mean over its networks, > 0.
        accuracy: mean over its networks, 0 to 1; or another score.
        on_front: whether none of the same method is both cheaper and better.
        limit: the budget; None if there was none.
        networks: (spent, accuracy) of each.
        method: whose it is, in the legend; empty if the picture is about one alone, or mainly.
    """

    name: str
    spent: float
    accuracy: float
    on_front: bool
    limit: float | None = None
    networks: Sequence[tuple[float, float]] = ()
    method: str = ""


def plot_frontier(
    marks: Sequence[FrontierMark],
    path: str | Path | None = None,
    *,
    unit: str = "SynOps per time step",
    score: str = "accuracy",
    label: str = "This sweep",
) -> Figure:
    """Accuracy over what was spent, with the Pareto front as steps: the best that each amount buys.

    A budget is a short upright line at the height of what was reached with it. Each method has a colour, and
    its front.

    Args:
        marks: the budgets.
        path: where the PNG goes; None to leave it undrawn.
        unit: of what was spent.
        score: name of what stands in place of accuracy, which is drawn in percent.
        label: what the marks without a method are called beside others.

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
    figure = new_figure(6.5, 5.5)
    axes = figure.subplots()
    own = [mark for mark in marks if not mark.method]
    others = list(dict.fromkeys(mark.method for mark in marks if mark.method))
    if own:
        _draw_front(axes, own, ORANGE, plain(label) if others else "Pareto front", "o")
    _draw_limits(axes, [(mark.limit, mark.accuracy) for mark in marks if mark.limit is not None])
    _draw_networks(axes, [mark for mark in own if len(mark.networks) > 1])
    for number, method in enumerate(others):
        same = [mark for mark in marks if mark.method == method]
        colour, shape = _OTHERS[number % len(_OTHERS)], _SHAPES[number % len(_SHAPES)]
        _draw_front(axes, same, colour, plain(method), shape)
        _draw_marks(axes, same, colour, shape)
    _draw_marks(axes, own, ORANGE, "o")
    if all(mark.spent > 0 for mark in marks):
        _set_log_scale(axes, [mark.spent for mark in marks])
    axes.margins(x=0.12, y=0.15)
    word = plain(score)
    axes.set(
        title=f"What {word} costs", xlabel=unit, ylabel=f"Test {word}{' (%)' if percent else ''}"
    )
    figure.legend(frameon=False, loc="outside lower center", ncols=2, markerscale=0.7)
    if path is not None:
        save(figure, path)
    return figure


def _set_log_scale(axes: Axes, spent: Sequence[float]) -> None:
    """Numbers at each power of ten, and at 2 and 5 of each where there are few, short enough to stand side by side."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    subs = (1, 2, 5) if max(spent) < _FEW_DECADES * min(spent) else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: with_prefix(x) if x >= 1 else f"{x:.0e}")
    )
    axes.xaxis.set_minor_formatter(NullFormatter())


def _in_percent(mark: FrontierMark) -> FrontierMark:
    networks = [(spent, 100 * accuracy) for spent, accuracy in mark.networks]
    return replace(mark, accuracy=100 * mark.accuracy, networks=networks)


def _draw_front(
    axes: Axes, marks: Sequence[FrontierMark], colour: str, label: str, shape: str
) -> None:
    front = sorted((mark for mark in marks if mark.on_front), key=lambda mark: mark.spent)
    if not front:  # in the legend as its marks are
        axes.plot([], [], ls="", marker=shape, ms=6.5, label=label, color=colour, mfc="white")
        return
    spent, accuracy = [mark.spent for mark in front], [mark.accuracy for mark in front]
    axes.step(spent, accuracy, where="post", marker=shape, ms=5, label=label, color=colour, lw=1.2)


def _draw_limits(axes: Axes, limits: Sequence[tuple[float, float]]) -> None:
    x, y = [limit for limit, _ in limits], [accuracy for _, accuracy in limits]
    if limits:
        axes.plot(x, y, ls="", marker="|", ms=20, mew=1.5, color=_LIMIT, label="Limit")


def _draw_networks(axes: Axes, marks: Sequence[FrontierMark]) -> None:
    networks = [network for mark in marks for network in mark.networks]
    if networks:
        spent, accuracy = zip(*networks, strict=True)
        axes.scatter(spent, accuracy, s=10, color=GREY, label="One seed")


def _draw_marks(axes: Axes, marks: Sequence[FrontierMark], colour: str, shape: str) -> None:
    for mark in marks:
        face, at = colour if mark.on_front else "white", (mark.spent, mark.accuracy)
        axes.scatter(*at, s=45, zorder=3, marker=shape, facecolor=face, edgecolor=colour)
        if mark.name:
            axes.annotate(
                plain(mark.name), at, xytext=(-9, 6), textcoords="offset points", ha="right"
            )
