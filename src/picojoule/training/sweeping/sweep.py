"""A sweep: the same network at several budgets, and on other axes beside."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from picojoule.extras import extra
from picojoule.training.record.history import Progress
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.folder import FRONTIER, check_folder, sweep_folder
from picojoule.training.sweeping.frontier import Frontier
from picojoule.training.sweeping.one_run import one_run
from picojoule.training.sweeping.outcome import OneRun
from picojoule.training.sweeping.runs import Runs, work_alone, work_in_parallel
from picojoule.training.sweeping.storage_url import storage_url
from picojoule.training.sweeping.study import open_queue


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
    folder: str | Path,
    progress: Progress,
    *,
    jobs: int = 1,
    storage: str | None = None,
    study: str = "sweep",
    trainer: OneRun = one_run,
) -> Frontier:
    """Train a network without a budget and then to each budget, for each seed and setting.

    Each starts from the same weights and is trained for as many steps as any other, so points are comparable, and
    all budgets can go on in parallel. With `config.equal_steps` False each starts from the weights of the next looser
    budget: a tighter one has the steps of all looser ones behind it, and one budget follows on another.
    The same call again goes on with a sweep that was stopped or killed: complete runs are not repeated, the
    others continue from their last epoch.

    Written: `sweep.json`, `frontier.json`, a folder for each run, and without `storage` the Optuna study, `study.db`.

    Args:
        config: what to do.
        folder: where the files go. Machines that share a storage need it at the same path, on a file system that all see.
        progress: told about each step of training with one job, about each run and its notes with several.
        jobs: runs at once on this machine, each in a process of its own if > 1.
        storage: URL of a database in which many machines work on the study, by the same call on each, such as
            `postgresql://user:password@host/name`, which needs the extra `postgres`.
        study: the study's name in it.
        trainer: trains one network and leaves its weights in `checkpoint.safetensors`; with `jobs` > 1 a function
            of a module.

    Raises:
        ValueError: the folder or the study is of a sweep with other settings.
        FileExistsError, BlockingIOError: the folder is not free.
        ConnectionError: the storage cannot be reached, or is lost meanwhile.
        ImportError: the package for that kind of database is missing.
        SweepError: runs ended with errors; all others are complete.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from picojoule.training import Outcome, Quiet
        >>> def pretend(config, folder, progress):
        ...     folder.mkdir()
        ...     (folder / "checkpoint.safetensors").touch()
        ...     spent = (config.synops_per_timestep or {"trainable": 4e5})["trainable"]
        ...     return Outcome(0.95 - 1e3 / spent, {"4": spent}, ("4",), silent_share=0.0, num_timesteps=5)
        >>> with TemporaryDirectory() as folder:
        ...     halves = SweepConfig(budgets=(0.5, 0.25))
        ...     frontier = sweep(halves, Path(folder), Quiet(), trainer=pretend)
        >>> [point.spent.mean for point in frontier.points]
        [400000.0, 200000.0, 100000.0]
    """
    folder = Path(folder)
    if jobs < 1:
        raise ValueError(f"sweep: jobs is {jobs}, expected a whole number >= 1.")
    with extra("train"):
        import optuna  # noqa: F401  (before anything is made)
    shared = None if storage is None else storage_url(storage)
    check_folder(folder, config)
    with ExitStack() as stack:
        # what can fail goes first, as a folder and a study in a shared database each claim the sweep
        opened = open_queue(config, folder, shared, study)
        in_use = sweep_folder(folder, config, alone=shared is None)
        if shared is None:
            stack.enter_context(in_use)
            queue = stack.enter_context(opened)
        else:
            queue = stack.enter_context(opened)
            stack.enter_context(in_use)
        runs = Runs(config, folder, queue)
        jobs = min(jobs, config.most_at_once)
        if jobs == 1:
            work_alone(runs, trainer, progress)
        else:
            work_in_parallel(runs, trainer, progress, jobs)
        frontier = Frontier.of(config, queue.outcomes())
        frontier.save(folder / FRONTIER)
        errors = queue.errors()
    if errors:
        reasons = "; ".join(
            f"{run.name}: {error}".removesuffix(".") for run, error in errors.items()
        )
        raise SweepError(
            f"{len(errors)} of the runs ended with an error, and what follows on them was left out. {reasons}. The "
            "others are complete; the same command tries these again.",
            frontier,
        )
    return frontier
