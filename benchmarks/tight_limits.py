"""Accuracy at tight limits, by `picojoule train` as a user types it: its defaults, seed by seed.

    python -m benchmarks.tight_limits [--jobs 2] [--limits 16000 8000] [--seeds 1 2 3] [--data FOLDER --epochs 2]

The limit is on layers 4, 7 and 10 of the LeNet together, per time step; layer 1 reads the image. Each run is the command line
itself, in a process of one thread. Runs that are in the result file are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.record import RESULTS, ROOT, surroundings

LAYERS = ("4", "7", "10")
LIMITS = (16_000, 8_000, 4_000, 2_000)


class Spec(NamedTuple):
    """One run: a limit (0: none), a seed, and flags beside the defaults."""

    limit: int
    seed: int
    flags: tuple[str, ...]

    @property
    def key(self) -> str:
        """What names it in the result file."""
        return f"{self.limit} {self.seed} {' '.join(self.flags)}".strip()


def command(spec: Spec, out: Path) -> list[str]:
    """As a user types it."""
    group, limit = f"hidden={','.join(LAYERS)}", f"hidden={spec.limit}"
    budget = ["--group", group, "--synops-per-timestep", limit] if spec.limit else ["--no-budget"]
    run = ["train", "--no-compare", "--seed", str(spec.seed), "--out", str(out)]
    return [sys.executable, "-m", "picojoule", *run, *budget, *spec.flags]


def run(spec: Spec) -> dict[str, Any]:
    """Accuracy and SynOps on the test images, what the command said of the budget, and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        out, began = Path(folder) / "run", time.perf_counter()
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        done = subprocess.run(
            command(spec, out),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | threads,
        )
        if not (out / "report.json").exists():
            raise RuntimeError(f"{spec.key}: {done.stderr[-2000:]}")
        report = json.loads((out / "report.json").read_text())
    trained = report["trained"]
    spent = sum(trained["synops_per_timestep"][name] for name in LAYERS)
    return {
        "limit": spec.limit,
        "seed": spec.seed,
        "flags": list(spec.flags),
        "accuracy": trained["accuracy"],
        "synops_per_timestep": spent,
        "by_layer": trained["synops_per_timestep"],
        "off": spent / spec.limit - 1 if spec.limit else None,
        "exit_status": done.returncode,
        "faults": report.get("faults", {}),
        "seconds": round(time.perf_counter() - began, 1),
    }


def run_all(specs: Iterable[Spec], file: Path, jobs: int) -> Iterator[dict[str, Any]]:
    """The runs, those of the file first; each that ends is kept there at once."""
    found = json.loads(file.read_text()) if file.exists() else surroundings() | {"runs": {}}
    missing = [spec for spec in specs if spec.key not in found["runs"]]
    with ThreadPoolExecutor(jobs) as pool:
        for spec, row in zip(missing, pool.map(run, missing), strict=True):
            found["runs"][spec.key] = row
            file.write_text(json.dumps(found, indent=1) + "\n")
    yield from (found["runs"][spec.key] for spec in specs)


def table(rows: Iterable[dict[str, Any]]) -> Table:
    """Mean and spread over seeds, by limit and flags."""
    shown = Table(title="SynOps of layers 4, 7 and 10 per time step, test images")
    for column in ("limit", "flags", "accuracy", "spent", "off, each seed", "seconds"):
        shown.add_column(column, justify="left" if column == "flags" else "right")
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["limit"], " ".join(row["flags"])), []).append(row)
    for (limit, flags), each in groups.items():
        accuracy = [100 * row["accuracy"] for row in each]
        spread = f" ± {stdev(accuracy):.2f}" if len(each) > 1 else ""
        shown.add_row(
            f"{limit:,}" if limit else "none",
            flags,
            f"{mean(accuracy):.2f}{spread}",
            f"{mean(row['synops_per_timestep'] for row in each):,.0f}",
            ", ".join("" if row["off"] is None else f"{row['off']:+.1%}" for row in each),
            f"{mean(row['seconds'] for row in each):.0f}",
        )
    return shown


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--limits", type=int, nargs="+", default=[0, *LIMITS], help="0: none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--result", type=Path, default=RESULTS / "tight_limits.json")
    asked, flags = parser.parse_known_args()
    specs = [Spec(limit, seed, tuple(flags)) for limit, seed in product(asked.limits, asked.seeds)]
    Console(width=120).print(table(run_all(specs, asked.result, asked.jobs)))


if __name__ == "__main__":
    main()
