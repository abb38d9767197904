"""Time of event-driven inference over SynOps: how straight the line is, and how near to what the machine can store.

    python -m benchmarks.events_line [--quick]

The seed's LeNet at activities up to one value in ten, all its layers event by event (no dense product), one thread. A loop that
adds vectors of weights to neurons in the first-level cache, in turns with it, is the machine's own limit: a store a cycle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.allocator import keep_freed_memory
from benchmarks.record import RESULTS, surroundings
from benchmarks.works.events import active
from picojoule import events

ACTIVITIES = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1)
BATCH, ROUNDS = 16, 15
RUN = 160  # reals of a run of weights, as in the LeNet's second layer


def store_limit() -> Callable[[], float]:
    """A function that gives SynOps per second of the loop alone."""
    from numba import njit, types

    from picojoule.events.kernels.pointers import reals
    from picojoule.events.kernels.vectors import VECTOR, add_vector

    @njit(types.void(types.int64, types.int64, types.int64))
    def add(runs: Any, target: Any, weights: Any) -> None:
        into, source = reals(target), reals(weights)
        for k in range(runs):
            start = (k % 8) * VECTOR
            for j in range(0, RUN, VECTOR):
                add_vector(into, start + j, source, start + j, np.float32(1))

    target, weights = torch.zeros(1024), torch.rand(1024) * 1e-3
    runs = 100_000

    def measure() -> float:
        began = time.perf_counter()
        add(runs, target.data_ptr(), weights.data_ptr())
        return runs * RUN / (time.perf_counter() - began)

    return measure


def line(points: list[tuple[float, float]]) -> dict[str, float]:
    """The straight line through times over SynOps, by least squares, and R^2."""
    synops, seconds = np.array(points).T
    slope, start = np.polyfit(synops, seconds, 1)
    left = seconds - (slope * synops + start)
    return {
        "seconds_per_synop": float(slope),
        "seconds_at_none": float(start),
        "r_squared": float(1 - left.var() / seconds.var()),
    }


def main(quick: bool, result: Path) -> None:
    """Measure in turns, print, write."""
    keep_freed_memory()
    torch.set_num_threads(1)
    about, limit = surroundings(), store_limit()
    calls: dict[float, Callable[[], None]] = {}
    synops: dict[float, float] = {}
    for activity in ACTIVITIES:
        model, x = active("lenet", BATCH, activity)
        network = events.compile(model, x, dense="never")

        def call(network: events.EventNetwork = network, x: torch.Tensor = x) -> None:
            network.reset()
            network(x)

        call()
        calls[activity] = call
        synops[activity] = sum(float(count.sum()) for count in network.synops.values())
    times: dict[float, list[float]] = {activity: [] for activity in ACTIVITIES}
    limits = []
    for _ in range(5 if quick else ROUNDS):
        limits.append(limit())
        for activity, call in calls.items():
            began = time.perf_counter()
            call()
            times[activity].append(time.perf_counter() - began)
    medians = {activity: statistics.median(each) for activity, each in times.items()}
    store = statistics.median(limits)
    fitted = line([(synops[a], medians[a]) for a in ACTIVITIES])
    show(medians, synops, fitted, store)
    if not quick:
        rows = [{"activity": a, "synops": synops[a], "median_s": medians[a]} for a in ACTIVITIES]
        record = {**about, **fitted, "store_limit_synops_per_second": store, "rows": rows}
        result.write_text(json.dumps(record, indent=1) + "\n")


def show(
    medians: dict[float, float], synops: dict[float, float], fitted: dict[str, float], store: float
) -> None:
    """The table and the line."""
    table = Table(title=f"LeNet, B={BATCH} T=50, one thread, event by event")
    for column in ("activity", "SynOps", "ms", "G SynOps/s"):
        table.add_column(column, justify="right")
    for activity, seconds in medians.items():
        per_second = synops[activity] / seconds / 1e9
        table.add_row(
            f"{activity:.1%}",
            f"{synops[activity]:,.0f}",
            f"{1e3 * seconds:.2f}",
            f"{per_second:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"time = {1e3 * fitted['seconds_at_none']:.2f} ms + {1e9 * fitted['seconds_per_synop']:.3f} ns a SynOp, "
        f"R^2 = {fitted['r_squared']:.4f}; slope {1e-9 / fitted['seconds_per_synop']:.1f} G SynOps/s beside {store / 1e9:.1f} "
        "that this core can store",
        highlight=False,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, no file")
    parser.add_argument("--result", type=Path, default=RESULTS / "events_line.json")
    arguments = parser.parse_args()
    main(arguments.quick, arguments.result)
