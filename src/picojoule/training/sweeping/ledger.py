"""Who does what, and what came of it: the runs of a sweep as trials of an Optuna study.

A run is enqueued when those it needs are complete, so whatever waits may be taken by anyone. What is to
be enqueued follows from the study alone, whoever looks: at the start, after a run, after a crash. If two
look at once and enqueue the same run, the later trial gives way when it is taken (`_twin`).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from picojoule.extras import extra
from picojoule.training.sweeping import storage
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.step import SweepStep

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_STEP, _OUTCOME, _ERROR, _HOST = "step", "outcome", "error", "host"


class StoppedError(Exception):
    """The sweep was stopped while a run was on; it is no fault of the run's."""


class Ledger:
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
        self._steps = {step.name: step for step in config.all_steps()}
        self._first_seen: dict[int, float] = {}
        trials = self._trials()
        self._before = len(trials)
        if alone:
            self._fail(trial for trial in trials if trial.state.name == "RUNNING")

    def outcomes(self) -> dict[SweepStep, Outcome]:
        """The runs that are complete."""
        return {
            self._steps[trial.user_attrs[_STEP]]: Outcome.from_dict(trial.user_attrs[_OUTCOME])
            for trial in self._trials("COMPLETE")
        }

    def errors(self) -> dict[SweepStep, str]:
        """The runs that ended with an error since this process began: they and what follows on them wait for the user."""
        return self._errors_in(self._trials())

    def enqueue_ready(self) -> bool:
        """Enqueue what may start and is not on the list yet; False if there is nothing left to do, by anyone."""
        self._bury_the_dead()
        trials = (
            self._trials()
        )  # one look for all: a run that ends between two would be missing in both
        done, taken = _named(trials, "COMPLETE"), _named(trials, "WAITING", "RUNNING")
        stuck = self._errors_in(trials)
        left = False
        for step in self._steps.values():
            before = self._config.before(step)
            if step.name in done or any(each in stuck for each in (step, *before)):
                continue
            left = True
            if step.name not in taken and all(each.name in done for each in before):
                self._study.enqueue_trial(_params(step), user_attrs={_STEP: step.name})
        return left

    def waiting(self) -> bool:
        """Whether there is a run to take."""
        return bool(self._trials("WAITING"))

    def run_one(self, run: Callable[[SweepStep], Outcome], taken: Callable[[], None]) -> None:
        """Take a waiting run, do it, and write down what came of it.

        Args:
            run: does it.
            taken: called when nobody else can take it any more.

        An error of the run's own is written down, see :meth:`errors`. After a StoppedError or a
        KeyboardInterrupt the run is on the list again.

        Raises:
            KeyboardInterrupt: from `run`.
            Exception: from the database.
        """
        numbers: list[int] = []

        def objective(trial: Trial) -> tuple[float, float]:
            numbers.append(trial.number)
            taken()
            step = self._step_of(trial)
            try:
                return self._do(trial, step, run)
            except StoppedError:
                raise
            except Exception as error:
                trial.set_user_attr(_ERROR, f"{error}" or type(error).__name__)
                raise

        try:
            self._study.optimize(objective, n_trials=1, catch=(Exception,))
        except ValueError:
            # others took us for dead and so the trial for failed; the folder knows what we did
            if not (numbers and self._trials()[numbers[0]].state.name == "FAIL"):
                raise

    def _step_of(self, trial: Trial) -> SweepStep:
        with extra("train"):
            from optuna import TrialPruned
        step = self._steps.get(trial.user_attrs.get(_STEP, ""))
        if step is None or self._twin(trial.number, step):
            raise TrialPruned  # another machine was quicker
        return step

    def _do(
        self, trial: Trial, step: SweepStep, run: Callable[[SweepStep], Outcome]
    ) -> tuple[float, float]:
        if not self._alone:
            # the first sign of life, now: Optuna's comes from a thread, and who dies before it is never missed
            self._database.record_heartbeat(trial._trial_id)
        trial.set_user_attr(_HOST, platform.node())
        trial.suggest_categorical("seed", list(self._config.all_seeds))
        trial.suggest_categorical("budget", [None, *self._config.budgets])
        for name, values in self._config.axes.items():
            trial.suggest_categorical(name, values)
        outcome = run(step)
        trial.set_user_attr(_OUTCOME, outcome.to_dict())
        return outcome.spent(self._config.unit), outcome.accuracy

    def _twin(self, number: int, step: SweepStep) -> bool:
        live = self._trials("WAITING", "RUNNING", "COMPLETE")
        return any(t.number < number and t.user_attrs.get(_STEP) == step.name for t in live)

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

    def _errors_in(self, trials: Sequence[FrozenTrial]) -> dict[SweepStep, str]:
        done = _named(trials, "COMPLETE")
        return {
            self._steps[trial.user_attrs[_STEP]]: str(trial.user_attrs[_ERROR])
            for trial in trials[self._before :]
            if trial.state.name == "FAIL" and _ERROR in trial.user_attrs
            if trial.user_attrs[_STEP] not in done
        }

    def _trials(self, *states: str) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if not states or trial.state.name in states]


def _params(step: SweepStep) -> dict[str, Any]:
    return {"seed": step.seed, "budget": step.budget, **dict(step.settings)}


def _named(trials: Iterable[FrozenTrial], *states: str) -> set[str | None]:
    """The names of the steps whose trials are in one of these states."""
    return {trial.user_attrs.get(_STEP) for trial in trials if trial.state.name in states}
