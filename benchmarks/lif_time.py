"""How the cost of a LIF layer's training step grows with the number of time steps.

    python benchmarks/lif_time.py

Forward and backward of one layer, 16 samples of 512 neurons, at T = 50 to 800: Picojoule's reference
op beside nn.ReLU on the same tensor and, where it is installed, sinabs. The cases are interleaved
in one process; medians. The result is written to benchmarks/results/lif_time.json.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import picojoule.layers as pl

ROOT = Path(__file__).resolve().parents[1]
STEPS = (50, 100, 200, 400, 800)
BATCH, NEURONS, ROUNDS = 16, 512, 7

Step = Callable[[Tensor], Tensor]


def implementations() -> dict[str, Step]:
    """Layers by name, each a function from input to output that starts from rest."""
    ours = pl.LIF(tau_mem=20.0)

    def picojoule_step(x: Tensor) -> Tensor:
        ours.reset_states()
        return ours(x)

    found = {"nn.ReLU": torch.relu, "picojoule": picojoule_step}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import sinabs.layers as sl
    except ImportError:
        return found
    theirs = sl.LIF(tau_mem=20.0)

    def sinabs_step(x: Tensor) -> Tensor:
        theirs.reset_states()
        return theirs(x)

    return {**found, "sinabs": sinabs_step}


def seconds(step: Step, x: Tensor) -> float:
    """Wall time of one forward and backward pass."""
    x.grad = None
    start = time.perf_counter()
    step(x).sum().backward()
    return time.perf_counter() - start


def measure(steps: dict[str, Step]) -> dict[str, dict[int, float]]:
    """Median milliseconds per time step, by implementation and T."""
    result: dict[str, dict[int, float]] = {name: {} for name in steps}
    for num_steps in STEPS:
        x = torch.rand(BATCH, num_steps, NEURONS, requires_grad=True)
        times: dict[str, list[float]] = {name: [] for name in steps}
        for round_ in range(ROUNDS + 1):
            for name, step in steps.items():
                elapsed = seconds(step, x)
                if round_:  # the first one warms up
                    times[name].append(elapsed)
        for name, measured in times.items():
            result[name][num_steps] = 1e3 * statistics.median(measured) / num_steps
    return result


def print_table(result: dict[str, dict[int, float]], threads: int) -> None:
    title = f"ms per time step, forward + backward, B={BATCH} N={NEURONS}, {threads} thread(s)"
    table = Table(title=title)
    for column in ("", *(f"T={t}" for t in STEPS), f"T={STEPS[-1]} over T={STEPS[0]}"):
        table.add_column(column, justify="right")
    for name, by_steps in result.items():
        growth = by_steps[STEPS[-1]] / by_steps[STEPS[0]]
        table.add_row(name, *(f"{by_steps[t]:.4f}" for t in STEPS), f"{growth:.2f}")
    Console().print(table)


def main() -> None:
    tests = [sys.executable, "-m", "pytest", "-q", str(ROOT / "tests/ops")]
    if subprocess.run(tests, cwd=ROOT, check=False).returncode:
        raise SystemExit("the op's tests fail; no benchmark of a wrong result")
    report: dict[str, object] = {
        "machine": f"{platform.machine()}, {platform.system()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "unit": "ms per time step, median of forward + backward",
        "batch": BATCH,
        "neurons": NEURONS,
        "rounds": ROUNDS,
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        result = measure(implementations())
        print_table(result, threads)
        report[f"threads_{threads}"] = result
    path = ROOT / "benchmarks/results/lif_time.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
