"""Damaged and hostile files: every reader reads them or refuses them as it says, whatever they hold.

No crash, no hang (5 s of processor time), no growth (1 GiB), one documented kind of error that names the
file. `python -m tests.fuzz.worker READER SEED` shows a file again.
"""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.readers import READERS

if sys.platform != "linux":
    pytest.skip("limits of memory are those of Linux", allow_module_level=True)

ROOT = Path(__file__).parents[2]
EACH_FAST, EACH_SLOW = 20, 667  # of 20 readers: 400, and 13,340
_FIRST_SLOW = 1_000_000


class Worker:
    """The process that reads; a new one takes over when it dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        ready = self._line(600)
        if ready != "ready":
            self.close()
            raise RuntimeError("the worker did not start: a reader does not read its sound files.")

    def _line(self, patience_s: float) -> str | None:
        """Its next answer; None if it died, or slept so long that it had to be ended."""
        assert self.process.stdout
        watch = threading.Timer(patience_s, self.process.kill)
        watch.start()
        line = self.process.stdout.readline()
        watch.cancel()
        return json.loads(line) if line else None

    def show(self, reader: str, seed: int) -> str:
        """How a reader takes the file of a seed."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([reader, seed]) + "\n")
        self.process.stdin.flush()
        answer = self._line(120)
        if answer is None or answer.startswith("took"):
            ended = answer or _death(self.process)
            self.close()
            self._start()
            return ended
        return answer

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def _death(process: subprocess.Popen[str]) -> str:
    code = process.wait()
    if code == -signal.SIGPROF:
        return "took more than 5 s of processor time"
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"left with status {code}"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def faults(worker: Worker, reader: str, seeds: range) -> dict[int, str]:
    """What went wrong, by seed."""
    answers = {seed: worker.show(reader, seed) for seed in seeds}
    counts = Counter(answers.values())
    assert counts["refused"], "no file was refused: are they damaged at all?"
    return {seed: answer for seed, answer in answers.items() if answer not in ("read", "refused")}


each = pytest.mark.parametrize("reader", [reader.name for reader in READERS])


@each
def test_a_damaged_file_is_read_or_refused_as_documented(worker: Worker, reader: str) -> None:
    assert faults(worker, reader, range(EACH_FAST)) == {}


@pytest.mark.slow
@each
def test_thousands_of_damaged_files(worker: Worker, reader: str) -> None:
    assert faults(worker, reader, range(_FIRST_SLOW, _FIRST_SLOW + EACH_SLOW)) == {}
