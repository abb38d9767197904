"""The database: whose study it is, who is let in, and one owner a trial."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from picojoule.training import Quiet, SweepConfig, TrainConfig, sweep
from picojoule.training.sweeping.folder import sweep_folder
from picojoule.training.sweeping.storage import open_storage, sqlite_url
from tests.training.sweeping.pretend import pretend

CONFIG = SweepConfig(budgets=(0.5,), training=TrainConfig(epochs=1))


def run(folder: Path, storage: str | None = None, config: SweepConfig = CONFIG) -> None:
    sweep(config, folder, Quiet(), storage=storage, trainer=pretend)


@pytest.fixture
def shared(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shared.db'}"


def test_a_folder_keeps_to_its_sweep(tmp_path: Path) -> None:
    run(tmp_path / "a")
    with pytest.raises(
        ValueError, match=r"other settings: budgets is \[0\.3\] here and \[0\.5\] there"
    ):
        run(tmp_path / "a", config=replace(CONFIG, budgets=(0.3,)))


def test_files_that_are_no_sweeps_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match=r"no sweep's \(thesis\.tex\)"):
        run(tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        run(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(ValueError, match=r"sweep\.json is damaged"):
        run(tmp_path)


def test_a_second_process_is_kept_out_of_a_folder_with_its_own_database(tmp_path: Path) -> None:
    with sweep_folder(tmp_path, CONFIG, alone=True):
        with pytest.raises(BlockingIOError, match="another process works on the sweep"):
            run(tmp_path)
        with sweep_folder(tmp_path, CONFIG, alone=False):  # those that share one are let in
            pass


def test_a_study_of_another_configuration_is_refused(tmp_path: Path, shared: str) -> None:
    run(tmp_path / "a", shared)
    with pytest.raises(
        ValueError, match=r"study 'sweep'.*of another sweep: epochs is 2 here and 1 there"
    ):
        run(tmp_path / "b", shared, replace(CONFIG, training=TrainConfig(epochs=2)))


def test_a_study_keeps_its_weights_in_one_folder(tmp_path: Path, shared: str) -> None:
    run(tmp_path / "a", shared)
    with pytest.raises(
        ValueError, match=r"keeps its weights in .*/a, not in .*/b\. Give every machine"
    ):
        run(tmp_path / "b", shared)


def test_a_study_of_something_else_is_left_alone(tmp_path: Path, shared: str) -> None:
    mine = optuna.create_study(storage=shared, study_name="sweep")
    mine.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(ValueError, match="is no sweep's"):
        run(tmp_path / "a", shared)


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    run(tmp_path / "50 % {really} #1")
    assert (tmp_path / "50 % {really} #1" / "study.db").exists()


def test_a_storage_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConnectionError, match=r"storage sqlite:.*nowhere.*cannot be reached: unable to open"
    ):
        run(tmp_path / "a", f"sqlite:///{tmp_path}/nowhere/study.db")


@pytest.mark.parametrize("url", ["shared.db", "no-such-database://host/name"])
def test_what_is_no_database_is_said(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"the storage .*(no database URL|of no use)"):
        run(tmp_path / "a", url)


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown://me:\*\*\*@host/name"):
        run(tmp_path / "a", "unknown://me:secret@host/name")


def test_optunas_own_log_level_is_left_alone(tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    run(tmp_path)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def claim(path: str, start: object, owned: object) -> None:
    study = optuna.load_study(study_name="s", storage=open_storage(path, heartbeat=False))
    start.wait()  # type: ignore[attr-defined]
    while study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        owned.put(study.ask().user_attrs.get("work"))  # type: ignore[attr-defined]
    owned.put("end")  # type: ignore[attr-defined]


@pytest.mark.slow
def test_no_two_processes_own_one_trial_of_an_sqlite_study(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "s.db")
    study = optuna.create_study(storage=open_storage(url, heartbeat=False), study_name="s")
    for work in range(60):
        study.enqueue_trial({}, user_attrs={"work": work})
    spawn = multiprocessing.get_context("spawn")
    start, owned = spawn.Barrier(4), spawn.Queue()
    workers = [spawn.Process(target=claim, args=(url, start, owned)) for _ in range(4)]
    for worker in workers:
        worker.start()
    taken, ended = [], 0
    while ended < 4:
        work = owned.get(timeout=120)
        ended += work == "end"
        taken += [work] if isinstance(work, int) else []
    for worker in workers:
        worker.join()
    assert sorted(taken) == list(range(60))
