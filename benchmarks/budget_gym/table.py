"""The runs as a table: a line for each task, its seeds side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.budget_gym.run import Row

TITLE = (
    "held-out samples; a number for each seed; SynOps and swings over the limit that is kept worst"
)
COLUMNS = ("task", "before trim", "after", "over the course", "swings", "accuracy", "free", "pull")


def print_table(console: Console, rows: Iterable[Row]) -> None:
    """All runs, and how many tasks passed with all seeds."""
    lines: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        lines.setdefault((row["task"], row["synapses"], row["loop"]), []).append(row)
    table = Table(title=TITLE)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "task" else "right")
    table.add_column("verdict")
    passed = 0
    for (task, synapses, loop), runs in lines.items():
        broken = reasons(runs)
        passed += not broken
        told = ", ".join(broken) or "pass"
        table.add_row(f"{task}, {synapses}, {loop}", *_cells(runs), told)
    console.print(table)
    console.print(f"{passed} of {len(lines)} passed", highlight=False)


def reasons(runs: Sequence[Row]) -> list[str]:
    """Why a task was not passed: each rule that some seed broke, with the layers that fell silent."""
    found: dict[str, None] = {}
    for row in runs:
        if "failure" in row:
            found[row["failure"]] = None
            continue
        for rule, kept in row["verdict"].items():
            if not kept:
                found["silent: " + ", ".join(row["silenced"]) if rule == "alive" else rule] = None
    return list(found)


def _cells(runs: Sequence[Row]) -> list[str]:
    done = [row for row in runs if "failure" not in row]

    def each(of: Callable[[Row], Any], form: str) -> str:
        values = [of(row) for row in done]
        return " ".join("" if value is None else format(value, form) for value in values)

    return [
        each(lambda row: max(row["before"].values()), ".3f"),
        each(lambda row: max(row["after"].values()), ".3f"),
        each(lambda row: row["overshoot"], ".2f"),
        each(lambda row: row["swing"], ".2f"),
        each(lambda row: row["accuracy"]["after"], ".1%"),
        each(lambda row: row["accuracy"]["free"], ".1%"),
        each(lambda row: row["pull"], ".2g"),
    ]
