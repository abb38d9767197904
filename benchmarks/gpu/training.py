"""A training step of the seed's LeNet, as users run it, over the net with ReLUs in place of neurons."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import torch

from benchmarks.gpu.device_time import ROUNDS, WARM_UP
from benchmarks.participants import participant
from benchmarks.works.lenet import lenet_step

SIZES = [(16, 50), (64, 100)]  # batch, steps
ROWS = (
    "ReLU",
    "picojoule triton",
    "picojoule reference",
    "SpikingJelly",
    "sinabs",
    "snnTorch",
    "Norse",
)


def step_s(name: str, batch: int, steps: int) -> float:
    """Seconds of a step."""
    with torch.device("cuda"):
        step = lenet_step(participant(name), batch, steps)
        for _ in range(WARM_UP):
            step()
        torch.cuda.synchronize()
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            step()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def measured(name: str, batch: int, steps: int, floor: float) -> dict[str, Any]:
    """A step's time and its ratio to the floor; or why there is none."""
    entry = {"implementation": name, "batch": batch, "steps": steps}
    try:
        found = step_s(name, batch, steps)
    except Exception as error:
        return {**entry, "failure": f"{type(error).__name__}: {error}"}
    over = 1.0 if math.isnan(floor) else 1e3 * found / floor
    return {**entry, "step_ms": 1e3 * found, "over_relu": over}


def line(entry: dict[str, Any]) -> str:
    """A row of the table."""
    head = f"{entry['implementation']:<20} B={entry['batch']} T={entry['steps']}"
    if "failure" in entry:
        return f"{head} {entry['failure'][:100]}"
    return f"{head} {entry['step_ms']:9.2f} ms {entry['over_relu']:7.2f}"
