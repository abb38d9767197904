"""A sweep runs everything once, in order, and goes on where it was stopped."""

import errno
import json
import math
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial

from picojoule.training import (
    Frontier,
    Outcome,
    Progress,
    Quiet,
    SweepConfig,
    SweepError,
    TrainConfig,
    sweep,
)
from picojoule.training.files.only_process import TakenError
from picojoule.training.sweeping.outcome import OneRun
from picojoule.training.sweeping.study import open_queue
from tests.training.sweeping import pretend as pretend_module
from tests.training.sweeping.pretend import pretend

CONFIG = SweepConfig(budgets=(0.5, 0.25), seeds=2, training=TrainConfig(epochs=3))
ALL = {f"seed{seed}/{run}" for seed in (1, 2) for run in ("unconstrained", "budget-0.5", "budget-0.25")}  # fmt: skip


def run(folder: Path, config: SweepConfig = CONFIG, **more: object) -> Frontier:
    return sweep(config, folder, Quiet(), **{"trainer": pretend, **more})  # type: ignore[arg-type]


def trials(folder: Path) -> Counter[tuple[str, str]]:
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{folder / 'study.db'}")
    return Counter((trial.user_attrs["step"], trial.state.name) for trial in study.trials)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Frontier:
    return run(tmp_path_factory.mktemp("unbroken"))


def test_every_run_is_one_complete_trial(tmp_path: Path, unbroken: Frontier) -> None:
    assert run(tmp_path) == unbroken
    assert trials(tmp_path) == Counter((run, "COMPLETE") for run in ALL)
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert {(t.params["seed"], t.params["budget"]) for t in study.trials} == {
        (seed, budget) for seed in (1, 2) for budget in (None, 0.5, 0.25)
    }
    assert {tuple(t.values) for t in study.best_trials} <= {
        (m.spent, m.outcome.accuracy) for p in unbroken.points for m in p.models
    }


class KilledError(BaseException):
    """As kill -9 does: nothing is written down any more."""


def test_a_sweep_killed_at_every_third_epoch_loses_nothing(
    tmp_path: Path, unbroken: Frontier, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = [0]

    def killed(_: float) -> None:
        epochs[0] += 1
        if epochs[0] == 3:
            raise KilledError

    kills = 0
    monkeypatch.setattr(pretend_module.time, "sleep", killed)
    for _ in range(40):
        epochs[0] = 0
        try:
            frontier = run(str(tmp_path / "killed"))  # type: ignore[arg-type]
        except KilledError:
            kills += 1
        else:
            break
    assert frontier == unbroken
    assert kills >= 5
    complete = {
        run: n for (run, state), n in trials(tmp_path / "killed").items() if state == "COMPLETE"
    }
    assert complete == dict.fromkeys(ALL, 1)
    for log in (tmp_path / "killed").glob("*/*/epochs.log"):
        assert sorted(set(log.read_text().split())) == ["0", "1", "2"]


def weights_of(folder: Path, name: str) -> list[str]:
    """What pretended weights came from: where they began, and the limit of each epoch."""
    figures = json.loads((folder / name / "checkpoint.safetensors").read_text())
    return str(figures["weights"]).split(", ")


def test_each_run_starts_from_the_same_weights_and_has_equal_steps(
    tmp_path: Path, unbroken: Frontier
) -> None:
    run(tmp_path)
    free = 4e5 * 0.99 + 2
    assert weights_of(tmp_path, "seed2/budget-0.25") == ["seed 2", *[str(0.25 * free)] * 3]
    assert weights_of(tmp_path, "seed2/budget-0.5") == ["seed 2", *[str(0.5 * free)] * 3]
    for point in unbroken.points:
        assert [(m.outcome.steps, m.steps_in_all) for m in point.models] == [(30, 30)] * 2


def test_continued_each_run_starts_from_the_next_looser_one(tmp_path: Path) -> None:
    frontier = run(tmp_path, replace(CONFIG, equal_steps=False))
    free = 4e5 * 0.99 + 2
    came_from = ["seed 2", *["None"] * 3, *[str(0.5 * free)] * 3, *[str(0.25 * free)] * 3]
    assert weights_of(tmp_path, "seed2/budget-0.25") == came_from
    assert [[m.outcome.steps for m in p.models] for p in frontier.points] == [[30, 30]] * 3
    assert [[m.steps_in_all for m in p.models] for p in frontier.points] == [
        [30, 30],
        [60, 60],
        [90, 90],
    ]


def test_other_settings_are_swept_beside_the_budgets(tmp_path: Path) -> None:
    axes = {"num_timesteps": (3, 10), "learning_rate": (1e-3, 2e-3)}
    asked = {}

    def noting(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        asked["/".join(folder.parts[-2:])] = (config.num_timesteps, config.learning_rate)
        return pretend(config, folder, progress)

    config = replace(CONFIG, seeds=1, budgets=(0.5,), axes=axes)
    frontier = run(tmp_path, config, trainer=noting)
    assert asked == {
        f"seed1/{run},num_timesteps={steps},learning_rate={rate}": (steps, rate)
        for run in ("unconstrained", "budget-0.5")
        for steps in (3, 10)
        for rate in (1e-3, 2e-3)
    }
    assert str(frontier.cost).startswith("SynOps per sample")
    free = 4e5 * 0.99 + 1
    assert [point.spent.mean for point in frontier.points if point.budget is None] == [
        pytest.approx(steps * free) for steps in (3, 3, 10, 10)
    ]
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert {t.params["num_timesteps"] for t in study.trials} == {3, 10}
    assert Frontier.load(tmp_path / "frontier.json") == frontier
    assert run(tmp_path, config, trainer=pretend) == frontier


def test_the_record_on_disk_is_the_frontier(tmp_path: Path) -> None:
    frontier = run(tmp_path)
    assert json.loads((tmp_path / "frontier.json").read_text()) == frontier.to_dict()
    assert Frontier.load(tmp_path / "frontier.json") == frontier
    assert json.loads((tmp_path / "sweep.json").read_text()) == CONFIG.to_dict()


def test_a_finished_sweep_is_only_read(tmp_path: Path, unbroken: Frontier) -> None:
    run(tmp_path)

    def never(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        raise AssertionError

    assert run(tmp_path, trainer=never) == unbroken


@pytest.mark.parametrize("stop_at", range(6))
def test_a_stopped_sweep_goes_on(tmp_path: Path, unbroken: Frontier, stop_at: int) -> None:
    begun = []

    def stopping(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        begun.append(folder)
        if len(begun) == stop_at + 1:
            raise KeyboardInterrupt
        return pretend(config, folder, progress)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, trainer=stopping)
    assert run(tmp_path) == unbroken
    assert Counter(state for _, state in trials(tmp_path)) == Counter(COMPLETE=6, FAIL=1)


def test_a_trial_of_a_killed_process_is_run_again(tmp_path: Path, unbroken: Frontier) -> None:
    run(tmp_path)
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("update trials set state = 'RUNNING' where number in (1, 4)")
    assert run(tmp_path) == unbroken
    counted = Counter(state for _, state in trials(tmp_path).elements())
    assert counted == Counter(COMPLETE=6, FAIL=2)
    epochs = (tmp_path / "seed1/budget-0.5/epochs.log").read_text().split()
    assert epochs == ["0", "1", "2"]  # its result was read, not trained anew


@pytest.mark.parametrize(("equal_steps", "complete"), [(True, [2, 1, 2]), (False, [2, 1, 1])])
def test_an_error_stops_what_follows_on_it_and_is_tried_again(
    tmp_path: Path, equal_steps: bool, complete: list[int]
) -> None:
    config = replace(CONFIG, equal_steps=equal_steps)

    def failing(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        if folder.parts[-2:] == ("seed1", "budget-0.5"):
            raise FloatingPointError("the loss became nan")
        return pretend(config, folder, progress)

    with pytest.raises(
        SweepError, match=r"1 of the runs.*seed1/budget-0\.5: the loss became nan.*same command"
    ) as failed:
        run(tmp_path, config, trainer=failing)
    assert [len(point.models) for point in failed.value.frontier.points] == complete
    assert (tmp_path / "seed1/budget-0.25").exists() == equal_steps
    assert run(tmp_path, config) == run(tmp_path / "unbroken", config)


def test_an_error_of_the_unconstrained_network_stops_all_that_is_of_it(tmp_path: Path) -> None:
    def failing(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        if folder.parts[-2:] == ("seed1", "unconstrained"):
            raise FloatingPointError("the loss became nan")
        return pretend(config, folder, progress)

    with pytest.raises(SweepError, match=r"1 of the runs") as failed:
        run(tmp_path, trainer=failing)
    assert [len(point.models) for point in failed.value.frontier.points] == [1, 1, 1]


def test_the_trainers_lock_is_waited_for(tmp_path: Path, unbroken: Frontier) -> None:
    locked = []

    def busy_once(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        if not locked:
            locked.append(folder)
            raise TakenError
        return pretend(config, folder, progress)

    assert run(tmp_path, trainer=busy_once) == unbroken


class Notes:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def start(self, what: str, total: int, done: int) -> None:
        self.seen.append(f"{what} {done}/{total}")

    def advance(self, status: str) -> None:
        self.seen.append(status)

    def note(self, sentence: str) -> None:
        self.seen.append(f"note {sentence}")


def test_progress_names_the_run(tmp_path: Path) -> None:
    def telling(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        progress.start("training", 5, 0)
        progress.note("mind")
        return pretend(config, folder, progress)

    notes = Notes()
    sweep(replace(CONFIG, seeds=1), tmp_path, notes, trainer=telling)
    assert notes.seen[:3] == [
        "seed1/unconstrained: training 0/5",
        "note seed1/unconstrained: mind",
        "seed1/budget-0.5: training 0/5",
    ]


@pytest.mark.parametrize("equal_steps", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_runs_go_on_at_once_in_processes_of_their_own(tmp_path: Path, equal_steps: bool) -> None:
    notes, config = Notes(), replace(CONFIG, equal_steps=equal_steps)
    folder = tmp_path / "at_once"
    at_once = sweep(config, folder, notes, jobs=3, trainer=pretend)
    assert at_once == run(tmp_path / "alone", config)
    assert trials(folder) == Counter((run, "COMPLETE") for run in ALL)
    assert notes.seen[0] == "sweeping 0/6"
    assert {note.split(":")[0] for note in notes.seen[1:]} == ALL


@pytest.mark.parametrize("ends", ["COMPLETE", "FAIL"])
@pytest.mark.parametrize("looks", range(1, 5))
def test_a_run_that_ends_while_another_worker_looks_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int, ends: str
) -> None:
    one_seed = replace(CONFIG, seeds=1, budgets=(0.5,))
    with open_queue(one_seed, tmp_path, None, "sweep") as queue:
        queue.enqueue_ready()
        study = queue._study
        running, look, seen = study.ask(), study.get_trials, []

        def end_after_some_looks(deepcopy: bool = True) -> list[FrozenTrial]:
            found = look(deepcopy=deepcopy)
            seen.append(found)
            if len(seen) == looks:
                running.set_user_attr("error", "the loss became nan")
                state = optuna.trial.TrialState[ends]
                study.tell(running, (1.0, 1.0) if ends == "COMPLETE" else None, state=state)
            return found

        monkeypatch.setattr(study, "get_trials", end_after_some_looks)
        queue.enqueue_ready()
        named = [trial.user_attrs["step"] for trial in look()]
    assert named.count("seed1/unconstrained") == 1


def test_a_budget_that_cannot_be_met_is_an_error_of_its_run(tmp_path: Path) -> None:
    config = replace(CONFIG, unit="synops_per_timestep", budgets=(9e4,), seeds=1)
    with pytest.raises(SweepError, match=r"seed1/budget-90000: .*cannot be met"):
        run(tmp_path, config)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_budget_that_cannot_be_met_is_said_before_the_others_are_trained(
    tmp_path: Path, jobs: int
) -> None:
    told: list[str] = []

    class Listening(Quiet):
        def note(self, sentence: str) -> None:
            place = tmp_path / sentence.partition("/")[0]
            told.append(f"{sentence[:36]}, {sorted(path.name for path in place.iterdir())}")

    config = replace(CONFIG, unit="synops_per_timestep", budgets=(3e5, 9e4))
    with pytest.raises(SweepError, match="2 of the runs"):
        sweep(config, tmp_path, Listening(), jobs=jobs, trainer=pretend)
    assert sorted(told) == [
        f"seed{seed}/unconstrained: sweep: the budg, ['unconstrained']" for seed in (1, 2)
    ]


def diverging(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    raise FloatingPointError("the loss became nan")


def test_what_a_process_raises_is_told(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"2 of the runs.*seed2/unconstrained: the loss became"):
        run(tmp_path, jobs=2, trainer=diverging)


class CameraError(Exception):
    """It can be pickled, and cannot be made again of what is in the pickle."""

    def __init__(self, recording: int, what: str) -> None:
        super().__init__(f"recording {recording}: {what}")


def damaged(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    raise CameraError(7, "ends within a packet")


def locked(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    class LocalError(Exception):
        """No other process knows it."""

    raise LocalError("no such camera")


@pytest.mark.parametrize(
    ("trainer", "said"),
    [(damaged, "recording 7: ends within a packet"), (locked, "LocalError: no such camera")],
)
def test_an_error_that_cannot_be_sent_arrives_in_words(
    tmp_path: Path, trainer: OneRun, said: str
) -> None:
    with pytest.raises(SweepError, match=rf"seed1/unconstrained: {said}"):
        run(tmp_path, replace(CONFIG, seeds=1), jobs=2, trainer=trainer)


def test_a_process_that_cannot_be_started_is_no_lock(tmp_path: Path) -> None:
    def no_more_processes(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")  # of os.fork

    with pytest.raises(SweepError, match=r"seed1/unconstrained: .*temporarily unavailable"):
        run(tmp_path, trainer=no_more_processes)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_ends_its_run(tmp_path: Path, score: float) -> None:
    calls = []

    def scored(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        calls.append(folder)
        return replace(pretend(config, folder, progress), accuracy=score)

    with pytest.raises(SweepError, match=f"seed1/unconstrained: its score is {score}, expected"):
        run(tmp_path, trainer=scored)
    assert len(calls) == 2  # once a seed


def warning(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    progress.note(f"a floor of seed {config.seed} was let go")
    return pretend(config, folder, progress)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_runs_note_is_told_with_their_names(tmp_path: Path, jobs: int) -> None:
    notes: list[str] = []

    class Listening(Quiet):
        def note(self, sentence: str) -> None:
            notes.append(sentence)

    sweep(CONFIG, tmp_path, Listening(), jobs=jobs, trainer=warning)
    assert set(notes) == {f"{name}: a floor of seed {name[4]} was let go" for name in ALL}


def deaf(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    import os

    os._exit(3)


@pytest.mark.slow
def test_a_process_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"ended 3 times without a word, .*status 3.*memory"):
        sweep(CONFIG, tmp_path, Quiet(), jobs=2, trainer=deaf)


def test_a_job_is_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs is 0"):
        run(tmp_path, jobs=0)
