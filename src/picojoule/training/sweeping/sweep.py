"""A sweep: the same network at one budget after another, each from the weights of the next looser one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from picojoule.training.atomic_write import write_json
from picojoule.training.config import TrainConfig
from picojoule.training.loop import Progress
from picojoule.training.run_folder import CHECKPOINT
from picojoule.training.sweeping.config import SweepConfig, SweepStep
from picojoule.training.sweeping.folder import FRONTIER, sweep_folder
from picojoule.training.sweeping.frontier import Frontier
from picojoule.training.sweeping.ledger import Ledger
from picojoule.training.sweeping.outcome import Outcome, Trainer
from picojoule.training.sweeping.progress import Named, Silence
from picojoule.training.sweeping.study import open_ledger
from picojoule.training.sweeping.train_step import limits, train_step
from picojoule.training.sweeping.workers import Workers, train_when_free

_LOOK_S = 0.5


class SweepError(Exception):
    """Some runs of a sweep ended with errors.

    Args:
        message: which, and why.
        frontier: of the runs that are complete.
    """

    def __init__(self, message: str, frontier: Frontier) -> None:
        super().__init__(message)
        self.frontier = frontier


def sweep(
    config: SweepConfig,
    folder: Path,
    progress: Progress,
    *,
    jobs: int = 1,
    storage: str | None = None,
    study: str = "sweep",
    trainer: Trainer = train_step,
) -> Frontier:
    """Train a network without a budget and then to each budget, loosest first, for each seed.

    Within a seed each run starts from the weights of the one before, so seeds are what goes on in parallel.
    The same call again goes on with a sweep that was stopped or killed: complete runs are not repeated, the
    others continue from their last epoch.

    Written: `sweep.json`, `frontier.json`, a folder for each run, and without `storage` the Optuna study, `study.db`.

    Args:
        config: what to do.
        folder: where the files go. Machines that share a storage need it at the same path, on a file system that all see.
        progress: told about each step of training with one job, about each run with several.
        jobs: runs at once on this machine, each in a process of its own if > 1.
        storage: URL of a database in which many machines work on the study, by the same call on each.
        study: the study's name in it.
        trainer: trains one network and leaves its weights in `checkpoint.safetensors`; with `jobs` > 1 a function
            of a module.

    Raises:
        ValueError: the folder or the study is of a sweep with other settings.
        FileExistsError, BlockingIOError: the folder is not free.
        ConnectionError: the storage cannot be reached.
        SweepError: runs ended with errors; all others are complete.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from picojoule.training import Outcome, Silence
        >>> def pretend(config, folder, progress):
        ...     folder.mkdir()
        ...     (folder / "checkpoint.safetensors").touch()
        ...     spent = (config.synops_per_timestep or {"trainable": 4e5})["trainable"]
        ...     return Outcome(0.95 - 1e3 / spent, {"4": spent}, ("4",), silent_share=0.0, num_timesteps=5)
        >>> with TemporaryDirectory() as folder:
        ...     halves = SweepConfig(budgets=(0.5, 0.25))
        ...     frontier = sweep(halves, Path(folder), Silence(), trainer=pretend)
        >>> [point.spent.mean for point in frontier.points]
        [400000.0, 200000.0, 100000.0]
    """
    if jobs < 1:
        raise ValueError(f"sweep: jobs is {jobs}, expected a whole number >= 1.")
    with (
        sweep_folder(folder, config, alone=storage is None),
        open_ledger(config, folder, storage, study) as ledger,
    ):
        work = _Sweep(config, folder, progress, ledger, trainer)
        jobs = min(jobs, config.seeds)
        work.run() if jobs == 1 else work.run_parallel(jobs)
        frontier = Frontier.of(config, ledger.outcomes())
        write_json(folder / FRONTIER, frontier.to_dict())
        errors = ledger.errors()
    if errors:
        reasons = "; ".join(f"{step.name}: {error}" for step, error in errors.items())
        raise SweepError(
            f"{len(errors)} of the runs ended with an error, and what follows on them was left out. {reasons} The "
            "others are complete; the same command tries these again.",
            frontier,
        )
    return frontier


class _Sweep:
    """Takes one run after another until none is left, in several threads if there are several jobs."""

    def __init__(
        self,
        config: SweepConfig,
        folder: Path,
        progress: Progress,
        ledger: Ledger,
        trainer: Trainer,
    ) -> None:
        self.config, self.folder, self.progress = config, folder, progress
        self.ledger, self.trainer = ledger, trainer
        self.claiming, self.stopped = threading.Lock(), threading.Event()

    def run(self) -> None:
        """One run at a time, in this process."""

        def train(step: SweepStep) -> Outcome:
            return self.train(step, self.trainer, Named(step.name, self.progress))

        self.work(train)

    def run_parallel(self, jobs: int) -> None:
        """Several at a time, each in a process of its own that a thread looks after."""
        workers = Workers(self.trainer, jobs)
        total = sum(len(self.config.steps(seed)) for seed in self.config.all_seeds)
        self.progress.start("sweeping", total, len(self.ledger.outcomes()))

        def train(step: SweepStep) -> Outcome:
            outcome = self.train(step, workers.train, Silence())
            self.progress.advance(f"{step.name}: {outcome.accuracy:.2%}")
            return outcome

        with ThreadPoolExecutor(jobs) as threads:
            try:
                working = [threads.submit(self.work, train) for _ in range(jobs)]
                for done in wait(working, return_when=FIRST_EXCEPTION).done:
                    done.result()
            finally:
                self.stopped.set()
                workers.stop()

    def work(self, train: Callable[[SweepStep], Outcome]) -> None:
        """Take runs and do them until there is nothing left."""
        while not self.stopped.is_set():
            with ExitStack() as claim:
                claim.enter_context(self.claiming)
                if not self.ledger.enqueue_ready():
                    return
                if self.ledger.waiting():
                    self.ledger.run_one(train, taken=claim.close)
                    continue
            self.stopped.wait(_LOOK_S)

    def train(self, step: SweepStep, trainer: Trainer, progress: Progress) -> Outcome:
        """Train the network of a step in its folder."""
        folder = self.folder / step.name
        folder.parent.mkdir(exist_ok=True)
        return train_when_free(trainer, self.training(step), folder, progress)

    def training(self, step: SweepStep) -> TrainConfig:
        """How the network of a step is trained."""
        steps = self.config.steps(step.seed)
        if step.budget is None:
            return replace(self.config.training, seed=step.seed)
        before = steps[steps.index(step) - 1]
        weights = self.folder.resolve() / before.name / CHECKPOINT
        if not weights.exists():
            raise FileNotFoundError(
                f"it starts from the weights of {before.name}, but there are none at {weights}. Machines "
                "that work on one study need the same folder, on a file system that all of them see."
            )
        allowed = limits(step.budget, self.config, self.ledger.outcomes()[steps[0]])
        return replace(self.config.training, seed=step.seed, start_from=str(weights), **allowed)
