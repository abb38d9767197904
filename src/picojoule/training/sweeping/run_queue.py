"""Which runs of a sweep are done and which may start, as trials of an Optuna study.

A run is enqueued when those it needs are complete, so whatever waits may be taken by anyone. What is to
be enqueued follows from the study alone, whoever looks: at the start, after a run, after a crash. If two
look at once and enqueue the same run, the later trial gives way when it is taken (`_twin`).
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from picojoule.extras import extra
from picojoule.training.sweeping import storage
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.sweep_run import SweepRun

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_RUN = "step"  # so that studies that were begun under this name go on
_OUTCOME, _ERROR, _HOST = "outcome", "error", "host"


class StoppedError(Exception):
    """The sweep was stopped during a run, which is no error of the run."""


class RunQueue:
    """The runs of a sweep: which are done, which may start.

    Args:
        study: holds them.
        database: holds the study.
        config: the sweep.
        alone: whether no other process works on the study, so that a trial found running is a dead one.
        clock: seconds, of this machine alone; those of others may differ.
    """

    def __init__(
        self,
        study: Study,
        database: RDBStorage,
        config: SweepConfig,
        *,
        alone: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study, self._database, self._config = study, database, config
        self._alone, self._clock = alone, clock
        self._runs = {run.name: run for run in config.all_runs()}
        self._first_seen: dict[int, float] = {}
        trials = self._trials()
        self._before = len(trials)
        if alone:
            self._fail(trial for trial in trials if trial.state.name == "RUNNING")

    def outcomes(self) -> dict[SweepRun, Outcome]:
        """The runs that are complete."""
        return {
            self._runs[trial.user_attrs[_RUN]]: Outcome.from_dict(trial.user_attrs[_OUTCOME])
            for trial in self._trials("COMPLETE")
        }

    def errors(self) -> dict[SweepRun, str]:
        """The runs that ended with an error since this process began: they and what follows on them wait for the user."""
        return self._errors_in(self._trials())

    def enqueue_ready(self) -> bool:
        """Enqueue what may start and is not on the list yet; False if nothing is left to do, here or elsewhere."""
        self._bury_the_dead()
        # one look for all that follows: a run that ends between two looks would be missing in both
        trials = self._trials()
        done, taken = _named(trials, "COMPLETE"), _named(trials, "WAITING", "RUNNING")
        stuck = self._errors_in(trials)
        left = False
        for run in self._runs.values():
            before = self._config.before(run)
            if run.name in done or any(each in stuck for each in (run, *before)):
                continue
            left = True
            if run.name not in taken and all(each.name in done for each in before):
                self._study.enqueue_trial(_params(run), user_attrs={_RUN: run.name})
        return left

    def waiting(self) -> bool:
        """Whether there is a run to take."""
        return bool(self._trials("WAITING"))

    def run_one(self, train: Callable[[SweepRun], Outcome], taken: Callable[[], None]) -> None:
        """Take a waiting run, do it, and write down what came of it.

        Args:
            train: does it.
            taken: called when nobody else can take it any more.

        An error of the run's own is written down, see :meth:`errors`. After a StoppedError or a
        KeyboardInterrupt the run is on the list again.

        Raises:
            KeyboardInterrupt: from `train`.
            Exception: from the database.
        """
        numbers: list[int] = []

        def objective(trial: Trial) -> tuple[float, float]:
            numbers.append(trial.number)
            taken()
            run = self._run_of(trial)
            try:
                return self._do(trial, run, train)
            except StoppedError:
                raise
            except Exception as error:
                trial.set_user_attr(_ERROR, f"{error}" or type(error).__name__)
                raise

        try:
            self._study.optimize(objective, n_trials=1, catch=(Exception,))
        except ValueError:
            # other processes thought this one dead, and the trial failed; the folder holds what was done
            if not (numbers and self._trials()[numbers[0]].state.name == "FAIL"):
                raise

    def _run_of(self, trial: Trial) -> SweepRun:
        with extra("train"):
            from optuna import TrialPruned
        run = self._runs.get(trial.user_attrs.get(_RUN, ""))
        if run is None or self._twin(trial.number, run):
            raise TrialPruned  # another machine was quicker
        return run

    def _do(
        self, trial: Trial, run: SweepRun, train: Callable[[SweepRun], Outcome]
    ) -> tuple[float, float]:
        if not self._alone:
            # a first sign of life now: Optuna's comes from a thread, and a process that dies before it is never missed
            self._database.record_heartbeat(trial._trial_id)
        trial.set_user_attr(_HOST, platform.node())
        trial.suggest_categorical("seed", list(self._config.all_seeds))
        trial.suggest_categorical("budget", [None, *self._config.budgets])
        for name, values in self._config.axes.items():
            trial.suggest_categorical(name, values)
        outcome = train(run)
        spent = outcome.spent(self._config.unit)
        for what, number in (("score", outcome.accuracy), ("cost", spent)):
            if not math.isfinite(number):  # Optuna would fail the trial without a word
                raise ValueError(
                    f"its {what} is {number}, expected a finite number. Look at what the task measures on the test set."
                )
        trial.set_user_attr(_OUTCOME, outcome.to_dict())
        return spent, outcome.accuracy

    def _twin(self, number: int, run: SweepRun) -> bool:
        live = self._trials("WAITING", "RUNNING", "COMPLETE")
        return any(t.number < number and t.user_attrs.get(_RUN) == run.name for t in live)

    def _bury_the_dead(self) -> None:
        """Give up trials of processes that were killed, all at one look, a grace after their last sign of life.

        A trial with a host has given such a sign, in the database and by its clock. One without was taken a moment
        ago, or its process died in that moment: it is given as long by our clock.
        """
        if self._alone:
            return
        with extra("train"):
            from optuna.storages import fail_stale_trials
        fail_stale_trials(self._study)
        now = self._clock()
        silent = [t for t in self._trials("RUNNING") if _HOST not in t.user_attrs]
        self._first_seen = {t.number: self._first_seen.get(t.number, now) for t in silent}
        self._fail(t for t in silent if now - self._first_seen[t.number] > storage.GRACE_S)

    def _fail(self, trials: Iterable[FrozenTrial]) -> None:
        from optuna.trial import TrialState

        for trial in trials:
            with suppress(ValueError):  # someone else did
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _errors_in(self, trials: Sequence[FrozenTrial]) -> dict[SweepRun, str]:
        done = _named(trials, "COMPLETE")
        return {
            self._runs[trial.user_attrs[_RUN]]: str(trial.user_attrs[_ERROR])
            for trial in trials[self._before :]
            if trial.state.name == "FAIL" and _ERROR in trial.user_attrs
            if trial.user_attrs[_RUN] not in done
        }

    def _trials(self, *states: str) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if not states or trial.state.name in states]


def _params(run: SweepRun) -> dict[str, Any]:
    return {"seed": run.seed, "budget": run.budget, **dict(run.settings)}


def _named(trials: Iterable[FrozenTrial], *states: str) -> set[str | None]:
    """The names of the runs whose trials are in one of these states."""
    return {trial.user_attrs.get(_RUN) for trial in trials if trial.state.name in states}
