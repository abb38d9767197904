"""Peak memory of one step, each in a fresh process: `python -m benchmarks.memory WORK CASE NAME`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.allocator import as_it_is
from benchmarks.cases import Case, Work
from benchmarks.implementations import Implementation
from benchmarks.participants import participant

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Memory:
    """Bytes, or why there are none.

    Args:
        implementation: who ran the step.
        peak: resident memory of the whole process at its highest.
        before: resident memory before the network and its input were made: Python, PyTorch, the
            library and its kernels.
        failure: what went wrong.
    """

    implementation: Implementation
    peak: int = 0
    before: int = 0
    failure: str | None = None

    @property
    def step(self) -> int:
        """What input, network and step add."""
        return self.peak - self.before


def measure_memory(work: Work, case: Case, rows: Sequence[Implementation]) -> list[Memory]:
    """Run one step of a case in a fresh process for each implementation, one after the other."""
    return [_in_fresh_process(work, case, row) for row in rows]


def _in_fresh_process(work: Work, case: Case, row: Implementation) -> Memory:
    command = [sys.executable, "-m", "benchmarks.memory", work.name, case.label, row.name]
    child = subprocess.run(
        command, cwd=ROOT, env=as_it_is(), capture_output=True, text=True, check=False
    )
    if child.returncode == 0:
        return Memory(row, **json.loads(child.stdout.splitlines()[-1]))
    failure = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
    if not row.may_fail:
        raise RuntimeError(f"{work.name} {case.label}, {row.name}: {failure}\n{child.stderr}")
    return Memory(row, failure=failure)


def _resident_bytes(which: str) -> int:
    """Resident memory now (VmRSS) or at its highest (VmHWM).

    Not `getrusage`: its maximum survives exec, so that a child starts with its parent's.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) * 1024
    raise NotImplementedError(f"memory: /proc/self/status has no {which}; Linux is needed.")


def _child(work_name: str, label: str, row_name: str) -> None:
    from benchmarks.works import WORKS
    from benchmarks.works.layer import layer_step

    row = participant(row_name)  # the one library alone
    case = next(case for case in WORKS[work_name].cases if case.label == label)
    torch.manual_seed(0)
    layer_step(row, 1, 2, 8)()
    before = _resident_bytes("VmRSS")
    case.build(row)()
    print(json.dumps({"peak": _resident_bytes("VmHWM"), "before": before}))


if __name__ == "__main__":
    _child(*sys.argv[1:])
