"""Many machines on one study: deaths, mistaken deaths and doubles, without waiting for any of them."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from picojoule.training import Frontier, Outcome, Progress, Quiet, SweepConfig, TrainConfig, sweep
from picojoule.training.sweeping import storage as database
from tests.training.sweeping.pretend import pretend

CONFIG = SweepConfig(budgets=(0.5,), seeds=2, training=TrainConfig(epochs=1))


@pytest.fixture
def shared(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def run(tmp_path: Path, shared: str) -> Callable[..., Frontier]:
    def call(trainer: object = pretend) -> Frontier:
        return sweep(CONFIG, tmp_path / "a", Quiet(), storage=shared, trainer=trainer)  # type: ignore[arg-type]

    return call


@pytest.fixture
def unbroken(tmp_path: Path) -> Frontier:
    return sweep(CONFIG, tmp_path / "unbroken", Quiet(), trainer=pretend)


def study(shared: str) -> optuna.Study:
    return optuna.load_study(study_name="sweep", storage=shared)


def states(shared: str) -> Counter[str]:
    return Counter(trial.state.name for trial in study(shared).trials)


def trained_once(folder: Path) -> bool:
    return all(log.read_text().split() == ["0"] for log in folder.glob("*/*/epochs.log"))


def test_one_that_was_taken_for_dead_loses_nothing(
    tmp_path: Path, shared: str, run: Callable[..., Frontier], unbroken: Frontier
) -> None:
    def slow(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        running = optuna.trial.TrialState.RUNNING
        (mine,) = study(shared).get_trials(states=(running,))
        if mine.number == 1:
            study(shared).tell(mine.number, state=optuna.trial.TrialState.FAIL)
        return pretend(config, folder, progress)

    assert run(slow) == unbroken
    assert states(shared) == Counter(COMPLETE=4, FAIL=1)
    assert trained_once(tmp_path / "a")


def test_one_killed_before_its_first_sign_of_life_is_replaced(
    tmp_path: Path,
    shared: str,
    run: Callable[..., Frontier],
    unbroken: Frontier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run()
    with sqlite3.connect(tmp_path / "shared.db") as rows:
        rows.execute("update trials set state = 'RUNNING' where number = 2")
        rows.execute("delete from trial_heartbeats")
        rows.execute("delete from trial_user_attributes where key in ('host', 'outcome')")
        rows.execute("update trials set state = 'FAIL' where state = 'COMPLETE'")
    monkeypatch.setattr(database, "GRACE_S", 1)
    assert run() == unbroken
    assert states(shared) == Counter(COMPLETE=4, FAIL=4)
    assert trained_once(tmp_path / "a")


def test_of_doubles_one_is_run_and_what_is_no_run_is_passed_over(
    tmp_path: Path, shared: str, run: Callable[..., Frontier], unbroken: Frontier
) -> None:
    def stopped(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stopped)
    for _ in range(2):
        study(shared).enqueue_trial({}, user_attrs={"step": "seed1/unconstrained"})
    study(shared).enqueue_trial({})
    assert run() == unbroken
    assert states(shared) == Counter(COMPLETE=4, PRUNED=2, FAIL=1)
    assert trained_once(tmp_path / "a")
