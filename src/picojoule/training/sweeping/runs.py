"""Taking one run after another until none is left, one at a time or several."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from picojoule.training.files.run_folder import BEST, CHECKPOINT
from picojoule.training.record.history import Progress
from picojoule.training.record.measure import shown_score
from picojoule.training.settings.config import TrainConfig
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.one_run import limits
from picojoule.training.sweeping.outcome import OneRun, Outcome, out_of_reach
from picojoule.training.sweeping.progress import Named, NotesOnly
from picojoule.training.sweeping.run_queue import RunQueue
from picojoule.training.sweeping.sweep_run import SweepRun
from picojoule.training.sweeping.workers import Workers, train_when_free

_LOOK_S = 0.5


class Runs:
    """The runs of a sweep, and the taking of them.

    Args:
        config: the sweep.
        folder: where its files are.
        queue: says what may start.
    """

    def __init__(self, config: SweepConfig, folder: Path, queue: RunQueue) -> None:
        self.config, self.folder, self.queue = config, folder, queue
        self.stopped, self._claiming = threading.Event(), threading.Lock()

    def work(self, train: Callable[[SweepRun], Outcome], idle: Callable[[], object]) -> None:
        """Take runs and do them until there is nothing left to do, here or elsewhere.

        Args:
            train: does a run.
            idle: called while all that may start has been taken by others; returns before long.
        """
        while not self.stopped.is_set():
            with ExitStack() as claim:
                claim.enter_context(self._claiming)
                if not self.queue.enqueue_ready():
                    return
                if self.queue.waiting():
                    self.queue.run_one(train, taken=claim.close)
                    continue
            idle()

    def train(self, run: SweepRun, trainer: OneRun, progress: Progress) -> Outcome:
        """Train the network of a run in its folder."""
        folder = self.folder / run.name
        folder.parent.mkdir(exist_ok=True)
        outcome = train_when_free(trainer, self.training(run), folder, progress)
        if run.budget is None:
            for sentence in out_of_reach(self.config.budgets, self.config.unit, outcome):
                progress.note(sentence)  # now, not when its turn comes
        return outcome

    def training(self, run: SweepRun) -> TrainConfig:
        """How the network of a run is trained.

        Raises:
            FileNotFoundError: the weights that it starts from are not there.
            ValueError: no training can meet the budget.
        """
        settings = {**dict(run.settings), "seed": run.seed}
        training = replace(self.config.training, **settings)
        if run.budget is None:
            return training.without_budget()
        free, *_ = self.config.before(run)
        allowed = limits(run.budget, self.config, self.queue.outcomes()[free])
        behind = self.config.lineage(run)[:-1]
        if behind:
            allowed["start_from"] = str(self._weights_of(behind[-1]))
        return replace(training, **allowed)

    def _weights_of(self, run: SweepRun) -> Path:
        place = self.folder.resolve() / run.name
        weights = place / (BEST if (place / BEST).exists() else CHECKPOINT)
        if not weights.exists():
            raise FileNotFoundError(
                f"it starts from the weights of {run.name}, but there are none at {weights}. Machines that work "
                "on one study need the same folder, on a file system that all of them see."
            )
        return weights


def work_alone(runs: Runs, trainer: OneRun, progress: Progress) -> None:
    """One run at a time, in this process."""
    told: list[str] = []

    def train(run: SweepRun) -> Outcome:
        return runs.train(run, trainer, Named(run.name, progress))

    def idle() -> None:
        if not told:
            told.append("waiting for runs that other machines have taken")
            progress.start(told[0], 1, 0)
        runs.stopped.wait(_LOOK_S)

    runs.work(train, idle)


def work_in_parallel(runs: Runs, trainer: OneRun, progress: Progress, jobs: int) -> None:
    """Several at a time, each in a process of its own that a thread looks after."""
    workers = Workers(trainer, jobs)
    progress.start("sweeping", len(runs.config.all_runs()), len(runs.queue.outcomes()))

    def train(run: SweepRun) -> Outcome:
        outcome = runs.train(run, workers.train, Named(run.name, NotesOnly(progress.note)))
        progress.advance(f"{run.name}: {shown_score(outcome.accuracy, outcome.score_name)}")
        return outcome

    with ThreadPoolExecutor(jobs) as threads:
        try:
            working = [
                threads.submit(runs.work, train, lambda: runs.stopped.wait(_LOOK_S))
                for _ in range(jobs)
            ]
            for done in wait(working, return_when=FIRST_EXCEPTION).done:
                done.result()
        finally:
            runs.stopped.set()
            workers.stop()
