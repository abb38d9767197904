"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.cases import Work
from benchmarks.implementations import Implementation
from benchmarks.memory import measure_memory
from benchmarks.participants import participants
from benchmarks.record import RESULTS, cores, surroundings, write
from benchmarks.tables import print_memory, print_times
from benchmarks.tests_first import require_green
from benchmarks.timing import Timing, measure
from benchmarks.works import WORKS

BUSY = 0.5
PAGE_WIDTH = 160


@dataclass(frozen=True)
class Plan:
    """How thorough a run is."""

    quick: bool
    threads: tuple[int, ...]
    rounds: int
    folder: Path | None


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, taken apart."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="work", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--quick", action="store_true", help="few sizes, few rounds, no file")
    parser.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also run the other libraries that are installed",
    )
    parser.add_argument(
        "--out", type=Path, help="folder for the JSON files; benchmarks/results, none with --quick"
    )
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.works) - set(WORKS):
        parser.error(f"no work named {', '.join(sorted(unknown))}; there are {', '.join(WORKS)}")
    return parsed


def main(arguments: Sequence[str] | None = None) -> None:
    """Test, measure, print, write."""
    parsed = parse(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAGE_WIDTH)
    most = min(2, cores())
    plan = Plan(
        quick=parsed.quick,
        threads=(most,) if parsed.quick else tuple(sorted({1, most})),
        rounds=5 if parsed.quick else 20,
        folder=parsed.out or (None if parsed.quick else RESULTS),
    )
    works = [WORKS[name] for name in parsed.works or WORKS]
    about = surroundings()  # before the tests, whose load is ours
    require_green(works)
    implementations = _participants(console, parsed.peers)
    if about["load_average_before"] > BUSY:
        load = about["load_average_before"]
        console.print(f"the machine was busy (load {load}): do not trust these numbers")
    start = time.perf_counter()
    for work in works:
        run_work(console, work, implementations, plan, about)
    console.print(f"measured in {time.perf_counter() - start:.0f} s")


def _participants(console: Console, peers: bool) -> list[Implementation]:
    found, missing = participants(peers=peers)
    for name, reason in missing.items():
        console.print(f"not measured: {name} ({reason})", markup=False, highlight=False)
    return found


def run_work(
    console: Console,
    work: Work,
    implementations: list[Implementation],
    plan: Plan,
    about: dict[str, object],
) -> None:
    """Measure one work, print its tables and write its file.

    Args:
        console: where the tables go.
        work: what to measure.
        implementations: who may take part.
        plan: how thorough to be.
        about: where and when, for the file.
    """
    rows = work.rows(implementations)
    cases = [case for case in work.cases if case.quick or not plan.quick]
    if not cases or not rows:
        return
    seconds = work.seconds / 4 if plan.quick else work.seconds
    times: dict[int, dict[str, list[Timing]]] = {}
    for threads in plan.threads:
        times[threads] = {}
        for case in cases:
            absent = case.large and threads < max(plan.threads)
            present = [row for row in rows if not (absent and row.peer)]
            times[threads][case.label] = measure(
                case, present, threads=threads, rounds=plan.rounds, seconds=seconds
            )
            gc.collect()
        print_times(console, work, times[threads], threads)
    memory = {case.label: measure_memory(work, case, rows) for case in cases if case.memory}
    if memory:
        print_memory(console, work, memory)
    if plan.folder is not None:
        console.print(f"written to {write(plan.folder, work, about, times, memory)}")
