"""No benchmark of a wrong result."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.cases import Work

ROOT = Path(__file__).resolve().parents[1]


def require_green(works: Iterable[Work]) -> None:
    """Run the tests of what the works measure; leave with a message if one fails."""
    folders = sorted({folder for work in works for folder in work.tests})
    print(f"first the tests: {' '.join(folders)}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", *folders]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit("tests fail: there is no benchmark of a wrong result.")
