"""The table and the picture of `picojoule sweep`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from picojoule.plots import FrontierMark, plot_frontier
from picojoule.printable import printable
from picojoule.training import Frontier, FrontierPoint, Spread
from picojoule.training.measure import ACCURACY, shown_score

_LARGE = 1e8  # SynOps; from here on rounded, for want of room


def print_frontier(frontier: Frontier, within: float, console: Console | None = None) -> None:
    """Print what each budget came to, and the cheapest network within some points of the best."""
    console = console or Console()
    console.print(_table(frontier))
    said = "\n".join([_choice(frontier, within), *_faults(frontier)])
    console.print(printable(said), highlight=False, markup=False, soft_wrap=True)


def draw_frontier(frontier: Frontier, path: Path) -> None:
    """Draw the Pareto front as PNG."""
    front = frontier.front()
    marks = [
        FrontierMark(
            name=_budget(frontier, point),
            spent=point.spent.mean,
            accuracy=point.accuracy.mean,
            on_front=point in front,
            limit=point.limit and point.limit.mean,
            networks=[(model.spent, model.outcome.accuracy) for model in point.models],
        )
        for point in frontier.points
    ]
    unit = frontier.unit[0].upper() + frontier.unit[1:]
    plot_frontier(marks, path, unit=unit, score=frontier.score_name)


def _table(frontier: Frontier) -> Table:
    seeds = frontier.config.seeds
    over = f"; mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    score = frontier.score_name
    title = Text(f"{score[:1].upper()}{score[1:]} and {frontier.unit}, on the test set{over}")
    table = Table(title=title, pad_edge=False, collapse_padding=True)  # for 80 columns
    table.add_column("budget", overflow="fold")
    for name in ("allowed", "reached", "error", score, "silent", "met", "*"):
        table.add_column(Text(name), justify="right", overflow="fold")  # a figure is never cut off
    front = frontier.front()
    for point in frontier.points:
        table.add_row(
            _budget(frontier, point),
            _amount(frontier, point.limit),
            _amount(frontier, point.spent),
            _text(point.error, ".1%"),
            _text(point.accuracy, ".2%" if score == ACCURACY else ".4g"),
            _text(point.silent_share, ".1%"),
            _met(point),
            "*" if point in front else "",
        )
    return table


def _choice(frontier: Frontier, within: float) -> str:
    score, best = frontier.score_name, max(frontier.points, key=lambda point: point.accuracy.mean)
    least = frontier.config.training.within
    below = "" if least is None else f" and {100 * least:g}% below it"
    met = f"at most 5% above the budget{below}"
    lines = [f"error: |reached - budget| / budget. met: {met}. *: none is both cheaper and better."]
    chosen = frontier.cheapest_within(within)
    if chosen is not None:
        reached, most = (shown_score(x.accuracy.mean, score) for x in (chosen, best))
        behind = best.accuracy.mean - chosen.accuracy.mean
        less, points = f"{behind:.4g} less", f"{within / 100:g}"
        if score == ACCURACY:
            less, points = f"{100 * behind:.2f} points less", f"{within:g} points"
        budget = "no budget" if chosen.budget is None else f"budget {_budget(frontier, chosen)}"
        lines.append(
            f"Cheapest within {points} of the best ({most}): {budget}, "
            f"{reached} ({less}) at {_amount(frontier, chosen.spent, ' ')}. Weights: "
            f"{chosen.best.folder}."
        )
    return "\n".join(lines)


def _faults(frontier: Frontier) -> list[str]:
    """The networks that are of no use, whatever they spend, and why."""
    return [
        f"Of no use: {model.folder}: {fault}"
        for point in frontier.points
        for model in point.models
        for fault in model.outcome.faults
    ]


def _budget(frontier: Frontier, point: FrontierPoint) -> str:
    if point.budget is None:
        return "none"
    if frontier.config.unit == "share":
        return f"{100 * point.budget:.4g}%"
    return f"{point.budget:.4g}" if point.budget >= _LARGE else f"{point.budget:.6g}"


def _amount(frontier: Frontier, amount: Spread | None, between: str = "\n") -> str:
    large = amount is not None and amount.mean >= _LARGE
    form = ",.0f" if frontier.config.unit != "energy_j" and not large else ".4g"
    return _text(amount, form, between)


def _text(value: Spread | None, form: str, between: str = "\n") -> str:
    if value is None:
        return ""
    spread = "" if value.spread is None else f"{between}± {value.spread:{form}}"
    return f"{value.mean:{form}}{spread}"


def _met(point: FrontierPoint) -> str:
    if point.budget is None:
        return ""
    met, models = point.met(), len(point.models)
    if met in (0, models):
        return "yes" if met else "no"
    return f"{met} of {models}"
