"""Kill -9, of the sweep or of a worker, at any moment: nothing is lost and nothing is run twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest

from picojoule.training import Frontier, Quiet, SweepConfig, TrainConfig, sweep
from tests.training.sweeping.pretend import pretend

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds workers by /proc"),
]
SEEDS = 2
CONFIG = SweepConfig(budgets=(0.5, 0.25), seeds=SEEDS, training=TrainConfig(epochs=3))


def start(folder: Path, jobs: int, storage: str | None = None) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.training.sweeping.pretend"]
    arguments = [str(folder), str(SEEDS), str(jobs), *([storage] if storage else [])]
    environment = {**os.environ, "PRETEND_PAUSE_S": "0.4", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*program, *arguments], env=environment)


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if parent == process.pid and b"spawn_main" in command:
            found.append(int(entry.name))
    return found


def wait_until_it_trains(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """The next line in a log of epochs, or the end of the sweep."""
    before = epochs_begun(folder)
    deadline = time.monotonic() + 120
    while epochs_begun(folder) == before and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def epochs_begun(folder: Path) -> int:
    return sum(len(log.read_text().split()) for log in folder.glob("*/*/epochs.log"))


def assert_each_run_completed_once(folder: Path, storage: str, frontier: Frontier) -> None:
    study = optuna.load_study(study_name="sweep", storage=storage)
    complete = [t.user_attrs["step"] for t in study.trials if t.state.name == "COMPLETE"]
    runs = [run.name for seed in CONFIG.all_seeds for run in CONFIG.runs(seed)]
    assert sorted(complete) == sorted(runs)
    for run in runs:
        epochs = [int(line) for line in (folder / run / "epochs.log").read_text().split()]
        # an epoch may begin again after a kill, but none that had ended; all in order
        assert epochs == sorted(epochs)
        assert set(epochs) == set(range(CONFIG.training.epochs))
    assert frontier == sweep(CONFIG, folder.with_name("unbroken"), Quiet(), trainer=pretend)


def finish(folder: Path, jobs: int, storage: str | None = None) -> Frontier:
    assert start(folder, jobs, storage).wait(timeout=300) == 0
    return sweep(CONFIG, folder, Quiet(), storage=storage, trainer=pretend)


@pytest.mark.parametrize(("jobs", "kills"), [(1, 6), (2, 10)])
def test_a_sweep_killed_again_and_again_ends_as_an_unbroken_one(
    tmp_path: Path, jobs: int, kills: int
) -> None:
    moment = random.Random(jobs)
    folder = tmp_path / "killed"
    done: Counter[str] = Counter()
    process = start(folder, jobs)
    for kill in range(kills):
        if kill % 4:
            wait_until_it_trains(folder, process)
        time.sleep(moment.uniform(0.0, 0.6))
        if process.poll() is not None:
            break
        workers = workers_of(process)
        if workers and kill % 2:
            os.kill(moment.choice(workers), signal.SIGKILL)
            done["worker"] += 1
            continue
        process.kill()
        process.wait()
        done["sweep"] += 1
        process = start(folder, jobs)
    process.kill()
    process.wait()
    frontier = finish(folder, jobs)
    assert_each_run_completed_once(folder, f"sqlite:///{folder / 'study.db'}", frontier)
    assert done["sweep"] >= kills // 2
    assert jobs == 1 or done["worker"] >= 2


def test_machines_share_a_sweep_and_take_over_from_one_that_died(tmp_path: Path) -> None:
    folder, storage = tmp_path / "shared", f"sqlite:///{tmp_path / 'shared.db'}"
    machines = [start(folder, 1, storage) for _ in range(3)]
    for machine in machines[:2]:
        wait_until_it_trains(folder, machine)
        machine.kill()
    for machine in machines[:2]:
        machine.wait()
    assert machines[2].wait(timeout=300) == 0
    assert_each_run_completed_once(folder, storage, finish(folder, 1, storage))
