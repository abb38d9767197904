"""What a result has to say about where it comes from, and the file it is kept in."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.allocator import ALLOCATOR
from benchmarks.cases import Work
from benchmarks.memory import Memory
from benchmarks.timing import Timing

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
PACKAGES = (
    "torch",
    "triton",
    "numpy",
    "numba",
    "picojoule",
    "sinabs",
    "spikingjelly",
    "snntorch",
    "norse",
)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def surroundings() -> dict[str, Any]:
    """Machine, versions, commit, and how busy the machine was at the start."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": {
            "processor": _processor(),
            "cores": cores(),
            "memory_gib": round(memory_gib, 1),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": versions,
        "allocator": {name: os.environ.get(name, "as it is") for name in ALLOCATOR},
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks/*.py")
    return (git("rev-parse", "HEAD") or "unknown") + (" and changes" if changed else "")


def write(
    folder: Path,
    work: Work,
    about: dict[str, Any],
    times: dict[int, dict[str, list[Timing]]],
    memory: dict[str, list[Memory]],
) -> Path:
    """Write a work's results to `folder/<work>.json`.

    Args:
        folder: where to.
        work: what was measured.
        about: the surroundings.
        times: timings by number of threads and case.
        memory: memory by case.
    """
    result = {
        "work": work.name,
        "what": work.title,
        **about,
        "times": [
            {"threads": threads, "case": case, **_time_entry(timing, timings)}
            for threads, by_case in times.items()
            for case, timings in by_case.items()
            for timing in timings
        ],
        "memory": [
            {"case": case, **_memory_entry(each, entries)}
            for case, entries in memory.items()
            for each in entries
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{work.name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path


def _time_entry(timing: Timing, beside: list[Timing]) -> dict[str, Any]:
    name = timing.implementation.name
    if timing.failure is not None:
        return {"implementation": name, "failure": timing.failure}
    spread = timing.spread
    return {
        "implementation": name,
        "median_ms": round(1e3 * timing.median_s, 4),
        "spread": None if spread is None else round(spread, 4),
        "rounds": len(timing.measured_s),
        **_over(timing, beside, "median_s"),
    }


def _memory_entry(memory: Memory, beside: list[Memory]) -> dict[str, Any]:
    name = memory.implementation.name
    if memory.failure is not None:
        return {"implementation": name, "failure": memory.failure}
    return {
        "implementation": name,
        "step_mb": round(memory.step / 1e6, 1),
        "peak_mb": round(memory.peak / 1e6, 1),
        **_over(memory, beside, "step"),
    }


def _over(entry: Any, beside: list[Any], quantity: str) -> dict[str, Any]:
    share = ratio(entry, beside, quantity)
    return {} if share is None else {"ratio": round(share, 4), "over": entry.implementation.over}


def ratio(entry: Any, beside: list[Any], quantity: str) -> float | None:
    """A quantity over that of the row it is compared with; None where there is no such row."""
    for other in beside:
        if other.implementation.name == entry.implementation.over and other.failure is None:
            return getattr(entry, quantity) / getattr(other, quantity)
    return None
