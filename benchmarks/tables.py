"""The tables: a row an implementation, a column a case; the time and its ratio to the floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import Work
from benchmarks.memory import Memory
from benchmarks.record import ratio
from benchmarks.timing import Timing

Cell = Callable[[Any, list[Any]], str]


def print_times(
    console: Console, work: Work, by_case: dict[str, list[Timing]], threads: int
) -> None:
    """Median, spread and ratio of each implementation at each size."""
    plural = "s" if threads > 1 else ""
    _print(console, f"{work.title}, {threads} thread{plural}", by_case, _time_cell)
    if work.growth and len(by_case) > 1:
        _print_growth(console, work, by_case, threads)


def print_memory(console: Console, work: Work, by_case: dict[str, list[Memory]]) -> None:
    """What a step adds to the resident memory of a fresh process, at its peak."""
    _print(console, f"{work.title}: peak memory of a step", by_case, _memory_cell)


def _print(console: Console, title: str, by_case: dict[str, list[Any]], cell: Cell) -> None:
    console.print(f"\n[bold]{title}[/bold]", highlight=False)
    table = Table()
    table.add_column("")
    for case in by_case:
        table.add_column(case, justify="right")
    failures = {}
    for name, entries in _by_name(by_case).items():
        cells = []
        for case, beside in by_case.items():
            entry = entries.get(case)
            if entry is None:
                cells.append("")
            elif entry.failure is None:
                cells.append(cell(entry, beside))
            else:
                failures[f"{name}, {case}"] = entry.failure
                cells.append("fails")
        table.add_row(name, *cells)
    console.print(table)
    for where, failure in failures.items():
        console.print(f"{where}: {failure}", markup=False, highlight=False)


def _by_name(by_case: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """The entries of each implementation by case; one that was left out of a case has none there."""
    names: dict[str, dict[str, Any]] = {}
    for case, entries in by_case.items():
        for entry in entries:
            names.setdefault(entry.implementation.name, {})[case] = entry
    return names


def _time_cell(timing: Timing, beside: list[Timing]) -> str:
    spread = "" if timing.spread is None else f"±{timing.spread:.0%}"
    quotient = _ratio(timing, beside, "median_s")
    return f"{_rounded(1e3 * timing.median_s)} ms {spread:>5} {quotient:>7}"


def _memory_cell(memory: Memory, beside: list[Memory]) -> str:
    return f"{memory.step / 1e6:,.0f} MB {_ratio(memory, beside, 'step'):>7}"


def _ratio(entry: Any, beside: list[Any], quantity: str) -> str:
    share = ratio(entry, beside, quantity)
    return "" if share is None else f"{_rounded(share)}x"


def _rounded(value: float) -> str:
    """Three digits, and never an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def _print_growth(
    console: Console, work: Work, by_case: dict[str, list[Timing]], threads: int
) -> None:
    steps = {case.label: case.time_steps for case in work.cases}
    cases = list(by_case)
    first, last = cases[0], cases[-1]
    plural = "s" if threads > 1 else ""
    console.print(f"\n[bold]microseconds per time step, {threads} thread{plural}[/bold]")
    table = Table()
    table.add_column("")
    for column in (*cases, f"{last} over {first}"):
        table.add_column(column, justify="right")
    for name, timings in _by_name(by_case).items():
        if len(timings) < len(cases) or any(timing.failure for timing in timings.values()):
            continue
        per_step = {case: timing.median_s / steps[case] for case, timing in timings.items()}
        growth = per_step[last] / per_step[first]
        shown = (_rounded(1e6 * seconds) for seconds in per_step.values())
        table.add_row(name, *shown, f"{growth:.2f}x")
    console.print(table)
