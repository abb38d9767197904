"""The tables of `picojoule sweep`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from picojoule.printable import printable
from picojoule.training import Frontier, FrontierPoint, Spread
from picojoule.training.record.measure import ACCURACY, shown_score
from picojoule.training.sweeping.sweep_run import settings_text

_SIX_DIGITS = 1e6
_LARGE = 1e7  # SynOps; from here on rounded, for want of room


def print_frontier(
    frontier: Frontier,
    points: float,
    beside: Frontier | None = None,
    console: Console | None = None,
) -> None:
    """Print what each budget came to, and which of them are worth having.

    Args:
        frontier: of a sweep.
        points: of accuracy, or hundredths of another score, that the cheapest network to be named may be below the best.
        beside: of other methods, to compare with.
        console: where to.
    """
    console = console or Console()
    for settings in dict.fromkeys(point.settings for point in frontier.points):
        console.print(_table(frontier, settings_text(settings), settings))
        if exits := _exit_table(frontier, settings):
            console.print(exits)
    lines = [_legend(frontier), *_faults(frontier), *_broken(frontier), *_choice(frontier, points)]
    lines += _volumes(frontier, beside)
    console.print(printable("\n".join(lines)), highlight=False, markup=False, soft_wrap=True)


def _table(frontier: Frontier, settings: str, of: tuple[tuple[str, object], ...]) -> Table:
    seeds = max(len(point.models) for point in frontier.points)
    over = f"; mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    where = f"; {printable(settings)}" if settings else ""
    score = frontier.score_name
    title = Text(
        f"{score[:1].upper()}{score[1:]} and {frontier.cost}, on the test set{over}{where}"
    )
    table = Table(title=title, pad_edge=False, collapse_padding=True)  # for 80 columns
    table.add_column("budget", overflow="fold")
    continued = _is_continued(frontier)
    for name in ("allowed", "reached", "error", score, "silent", "steps", "met", "*"):
        table.add_column(Text(name), justify="right", overflow="fold")  # a figure is never cut off
    front = frontier.front()
    for point in frontier.points:
        if point.settings == of:
            table.add_row(
                budget_text(point),
                _amount(frontier, point.limit),
                _amount(frontier, point.spent),
                _text(point.error, ".1%"),
                _text(point.accuracy, ".2%" if score == ACCURACY else ".4g"),
                _text(point.silent_share, ".1%"),
                _count(point.steps) + (f"\n/{_count(point.steps_in_all)}" if continued else ""),
                _met(point),
                "*" if point in front else "",
            )
    return table


def _exit_table(frontier: Frontier, of: tuple[tuple[str, object], ...]) -> Table | None:
    """The same networks with early exit, those that have one."""
    points = [(p, exits) for p in frontier.points if p.settings == of and (exits := p.after_exit)]
    if not points:
        return None
    table = Table(title="With early exit", pad_edge=False, collapse_padding=True)
    table.add_column("budget", overflow="fold")
    for name in ("accuracy", "time steps", "SynOps per sample", "of all time steps"):
        table.add_column(name, justify="right", overflow="fold")
    for point, (accuracy, steps, synops) in points:
        table.add_row(
            budget_text(point),
            _text(accuracy, ".2%"),
            _text(steps, ".2f"),
            _text(synops, ",.0f"),
            f"{synops.mean / point.synops_per_sample.mean:.1%}",
        )
    return table


def _is_continued(frontier: Frontier) -> bool:
    """Whether networks started from the weights of others."""
    return any(point.steps_in_all != point.steps for point in frontier.points)


def _legend(frontier: Frontier) -> str:
    words = f"error: |reached - budget| / budget. met: {_met_in_words(frontier)}. *: none is both cheaper and better."
    counts = {steps.mean for point in frontier.points if (steps := point.steps_in_all)}
    if _is_continued(frontier):
        return (
            f"{words} steps: of the run itself, and in all, with those of the looser budgets whose weights it goes on "
            "from, without the connections that these lost. Without --continue all have equal steps and begin alike."
        )
    if len(counts) > 1:
        return f"{words} The points differ in training steps."
    return f"{words} All have equal training steps." if counts else words


def _met_in_words(frontier: Frontier) -> str:
    within = {model.within for point in frontier.points for model in point.models} - {None}
    below = "".join(f" and {100 * share:g}% below it" for share in sorted(filter(None, within)))
    return f"at most 5% above the budget{below}"


def _faults(frontier: Frontier) -> list[str]:
    """The networks that are of no use, whatever they spend, and why."""
    return [
        f"Of no use: {model.folder}: {fault}"
        for point in frontier.points
        for model in point.models
        for fault in model.outcome.faults
    ]


def _broken(frontier: Frontier) -> list[str]:
    """What of their budgets networks do not keep to the last SynOp; `met` allows 5%."""
    sentences = [
        f"  {model.folder}: {sentence}"
        for point in frontier.points
        for model in point.models
        for sentence in model.outcome.broken
    ]
    return (
        ["Beyond their bounds on the test set, by however little:", *sentences] if sentences else []
    )


def _choice(frontier: Frontier, points: float) -> list[str]:
    chosen = frontier.cheapest_within(points)
    if chosen is None:
        return []
    best, score = max(point.accuracy.mean for point in frontier.points), frontier.score_name
    behind = best - chosen.accuracy.mean
    less, within = f"{behind:.4g} less", f"{points / 100:g}"
    if score == ACCURACY:
        less, within = f"{100 * behind:.2f} points less", f"{points:g} points"
    budget = "no budget" if chosen.budget is None else f"budget {budget_text(chosen)}"
    settings = f" with {settings_text(chosen.settings)}" if chosen.settings else ""
    sentence = (
        f"Cheapest within {within} of the best ({shown_score(best, score)}): {budget}{settings}, "
        f"{shown_score(chosen.accuracy.mean, score)} ({less}) at {_amount(frontier, chosen.spent, ' ')}. Weights: "
        f"{chosen.best.folder}."
    )
    return [sentence]


def comparable(frontier: Frontier, beside: Frontier | None) -> tuple[Frontier, Frontier | None]:
    """Both in a cost that both have."""
    if beside is None:
        return frontier, None
    cost = frontier.merge(beside).cost
    return frontier.restated(cost), beside.restated(cost)


def _volumes(frontier: Frontier, beside: Frontier | None) -> list[str]:
    """The hypervolume, and at the same reference those of the methods beside it."""
    frontier, beside = comparable(frontier, beside)
    others = {} if beside is None else beside.by_method()
    spent = max(each.reference[0] for each in (frontier, *others.values()))
    if not spent > 0 or frontier.score_name != ACCURACY:  # of which 0 is the least
        return []
    shown = [f"this sweep {frontier.hypervolume((spent, 0.0)):.4f}"] if others else []
    shown += [f"{name} {each.hypervolume((spent, 0.0)):.4f}" for name, each in others.items()]
    figures = ", ".join(shown) or f"{frontier.hypervolume((spent, 0.0)):.4f}"
    below = f"{spent:,.6g} {frontier.cost}"
    return [f"Hypervolume, accuracy times decades below {below}: {figures}. More is better."]


def budget_text(point: FrontierPoint) -> str:
    """The budget of a point, as a user gave it."""
    if point.budget is None:
        return "none"
    if point.unit == "share":
        return f"{100 * point.budget:.4g}%"
    return f"{point.budget:.4g}" if point.budget >= _SIX_DIGITS else f"{point.budget:.6g}"


def _amount(frontier: Frontier, amount: Spread | None, between: str = "\n") -> str:
    large = amount is not None and amount.mean >= _LARGE
    form = ",.0f" if frontier.cost.quantity != "energy_j" and not large else ".4g"
    return _text(amount, form, between)


def _count(steps: Spread | None) -> str:
    return "" if steps is None else f"{steps.mean:.6g}"


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
    return f"{met}/{models}"
