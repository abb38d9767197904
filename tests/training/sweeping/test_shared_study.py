"""Many machines on one study: deaths, mistaken deaths and doubles, without waiting for any of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages._heartbeat import HeartbeatThread

from picojoule.training import Frontier, Outcome, Progress, Quiet, SweepConfig, TrainConfig, sweep
from picojoule.training.sweeping import storage as database
from picojoule.training.sweeping.run_queue import RunQueue
from picojoule.training.sweeping.storage_url import storage_url
from tests.training.sweeping.pretend import make_old, pretend

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


class KilledError(BaseException):
    """As kill -9 does: nothing is written down any more."""


def killed(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    raise KilledError


@pytest.fixture
def starved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine so busy that Optuna's thread for signs of life does not get its turn."""
    monkeypatch.setattr(HeartbeatThread, "_record_heartbeat", staticmethod(lambda *_: None))


@contextmanager
def machine(
    tmp_path: Path, shared: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[RunQueue]:
    """Another machine that looks at the study of `run`."""
    url = storage_url(shared)
    with database.quiet():
        opened = database.open_storage(url, heartbeat=True)
        mine = optuna.load_study(study_name="sweep", storage=opened)
        yield RunQueue(mine, opened, CONFIG, alone=False, clock=clock)
        opened.remove_session()
        opened.engine.dispose()


def test_those_that_died_at_once_are_replaced_at_one_look_after_one_grace(
    tmp_path: Path, shared: str, run: Callable[..., Frontier], unbroken: Frontier, starved: None
) -> None:
    for _ in range(2):
        with pytest.raises(KilledError):
            run(killed)
    assert states(shared) == Counter(RUNNING=2)
    with machine(tmp_path, shared) as third:
        make_old(tmp_path / "shared.db", database.GRACE_S - 10)
        assert third.enqueue_ready()
        assert states(shared) == Counter(RUNNING=2)  # perhaps they are slow
        make_old(tmp_path / "shared.db", 11)
        assert third.enqueue_ready()
        assert states(shared) == Counter(FAIL=2, WAITING=2)
    assert run() == unbroken
    assert states(shared) == Counter(FAIL=2, COMPLETE=4)


@pytest.mark.parametrize("died_in", ["suggest_categorical", "set_user_attr"])
def test_those_that_died_before_any_sign_of_life_are_replaced_after_one_grace_by_our_clock(
    tmp_path: Path,
    shared: str,
    run: Callable[..., Frontier],
    unbroken: Frontier,
    starved: None,
    died_in: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dies(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, died_in, dies)
        for _ in range(2):
            with pytest.raises(KilledError):
                run()
    now = [1000.0]
    with machine(tmp_path, shared, clock=lambda: now[0]) as third:
        assert third.enqueue_ready()
        now[0] += database.GRACE_S
        make_old(tmp_path / "shared.db", database.GRACE_S - 10)
        assert third.enqueue_ready()
        assert states(shared) == Counter(RUNNING=2)
        now[0] += 1
        make_old(tmp_path / "shared.db", 11)
        assert third.enqueue_ready()
        assert states(shared) == Counter(FAIL=2, WAITING=2)
    assert run() == unbroken


def test_a_slow_one_that_gives_signs_of_life_is_never_replaced(
    tmp_path: Path, shared: str, run: Callable[..., Frontier]
) -> None:
    now = [1000.0]

    def slow(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        with machine(tmp_path, shared, clock=lambda: now[0]) as other:
            for _ in range(5):
                assert other.enqueue_ready()
                now[0] += 10 * database.GRACE_S
        return pretend(config, folder, progress)

    run(slow)
    assert states(shared) == Counter(COMPLETE=4)


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
