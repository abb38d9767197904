"""The database: whose study it is, who is let in, and one owner a trial."""

import json
import multiprocessing
import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from picojoule.training import Outcome, Progress, Quiet, SweepConfig, TrainConfig, sweep
from picojoule.training.sweeping import storage as database
from picojoule.training.sweeping import study
from picojoule.training.sweeping.folder import sweep_folder
from picojoule.training.sweeping.storage import open_storage
from picojoule.training.sweeping.storage_url import sqlite_url, storage_url
from tests.training.sweeping.pretend import make_old, pretend

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


@pytest.mark.parametrize("content", [b"{", b"\xff{}", b"3.5", b"[]", b"null", b"[" * 100_000])
def test_a_damaged_record_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"sweep\.json is damaged \(.*Choose another --out\."):
        run(tmp_path)


@pytest.mark.parametrize("training", [None, 3, [1]])
def test_a_record_whose_training_is_no_settings_is_another_sweeps(
    tmp_path: Path, training: object
) -> None:
    (tmp_path / "sweep.json").write_text(json.dumps(CONFIG.to_dict() | {"training": training}))
    with pytest.raises(ValueError, match="holds a sweep with other settings"):
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


def test_a_study_whose_sweep_is_no_settings_is_left_alone(tmp_path: Path, shared: str) -> None:
    mine = optuna.create_study(storage=shared, study_name="sweep")
    mine.set_user_attr("sweep", 3)
    with pytest.raises(ValueError, match="is no sweep's"):
        run(tmp_path / "a", shared)
    assert mine.user_attrs == {"sweep": 3}


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


ODD = {
    "": "no database URL",
    "foo": "'foo' is no database URL; expected one such as postgresql://",
    "shared.db": "no database URL",
    "./journal.log": "no database URL",
    "./journal": "no database URL",
    "postgresql:/host/name": "no database URL",
    "postgresql://host:port/name": "no database URL",
    " sqlite:///a.db": "begins or ends with a space",
    "sqlite:///a.db\n": "begins or ends with a space",
    "no-such-database://host/name": "no database URL",
    "nonesuch://host/name": "'nonesuch', that is not known",
    "http://host/name": "'http', that is not known",
    "redis://host/0": "'redis', that is not known",
    "sqlite+nothing:///a.db": "'sqlite+nothing', that is not known",
    "sqlite://": "names no file",
    "sqlite:///": "names no file",
    "sqlite:///:memory:": "names no file",
    "sqlite:///file:x?mode=memory&uri=true": "names no file",
    "sqlite://a.db": "is of no use: Invalid SQLite URL",
}


@pytest.mark.parametrize("url", ODD)
def test_what_is_no_database_is_said_before_anything_is_made(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"sweep: the storage .*{re.escape(ODD[url])}"):
        run(tmp_path / "a", url)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("url", "module", "message"),
    [
        ("postgresql://me:secret@host/name", "psycopg", r"pip install 'picojoule\[postgres\]'"),
        ("postgres://me:secret@host/name", "psycopg", "needs psycopg.*pip install 'picojoule"),
        ("postgresql+psycopg2://me:secret@host/name", "psycopg2", "needs the package psycopg2"),
        ("mysql://me:secret@host/name", "MySQLdb", "needs the package MySQLdb.*PostgreSQL's"),
    ],
)
def test_a_missing_driver_is_named_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, module: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=message) as raised:
        run(tmp_path / "a", url)
    assert "secret" not in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_postgresql_goes_by_the_driver_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", types.ModuleType("psycopg"))
    for storage in ("postgresql://me:a%2Fb@host:1/n?x=1", "postgres://me:a%2Fb@host:1/n?x=1"):
        url = storage_url(storage)
        assert url.render_as_string(False) == "postgresql+psycopg://me:a%2Fb@host:1/n?x=1"


@pytest.mark.parametrize(
    "url", ["unknown://me:secret@host/name", "me:secret@host", "x:/me:secret@h/n"]
)
def test_a_password_is_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"me:\*\*\*@") as raised:
        run(tmp_path / "a", url)
    assert "secret" not in str(raised.value)


def test_braces_in_a_url_are_taken_as_they_are(tmp_path: Path) -> None:
    run(tmp_path / "a", f"sqlite:///{tmp_path}/{{x}}.db")
    assert (tmp_path / "{x}.db").exists()


def test_a_storage_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, but long enough to be looked at" * 30)
    with pytest.raises(ConnectionError, match="cannot be reached: file is not a database"):
        run(tmp_path / "a", f"sqlite:///{tmp_path}/text.db")
    assert not (tmp_path / "a").exists()


def test_a_study_that_is_refused_leaves_the_folder_to_other_sweeps(
    tmp_path: Path, shared: str
) -> None:
    run(tmp_path / "a", shared)
    other = replace(CONFIG, training=TrainConfig(epochs=2))
    with pytest.raises(ValueError, match="of another sweep"):
        run(tmp_path / "b", shared, other)
    assert not (tmp_path / "b").exists()


def test_a_database_of_its_own_that_fails_leaves_the_folder_to_other_sweeps(tmp_path: Path) -> None:
    (tmp_path / "a/study.db").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="no sweep's"):
        run(tmp_path / "a")
    (tmp_path / "a/study.db").rename(tmp_path / "a/.study.db")

    def fails(url: object, *, heartbeat: bool) -> None:
        raise ConnectionError("no room")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "open_storage", fails)
        with pytest.raises(ConnectionError, match="no room"):
            run(tmp_path / "a")
    assert not (tmp_path / "a/sweep.json").exists()

    def stopped(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        folder.parent.rmdir()  # it was made for the run
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(CONFIG, tmp_path / "a", Quiet(), trainer=stopped)
    run(tmp_path / "a", config=replace(CONFIG, budgets=(0.3,)))


def test_a_database_that_is_lost_is_named_and_the_sweep_goes_on(
    tmp_path: Path, shared: str
) -> None:
    def losing(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
        if config.synops_per_timestep is not None:
            (tmp_path / "shared.db").rename(tmp_path / "elsewhere.db")
        return pretend(config, folder, progress)

    with pytest.raises(ConnectionError, match=r"storage sqlite.*was lost.*same command goes on"):
        sweep(CONFIG, tmp_path / "a", Quiet(), storage=shared, trainer=losing)
    (tmp_path / "elsewhere.db").rename(tmp_path / "shared.db")
    make_old(tmp_path / "shared.db", database.GRACE_S + 1)
    run(tmp_path / "a", shared)


def test_optunas_own_log_level_is_left_alone(tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    run(tmp_path)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def claim(path: str, start: object, owned: object) -> None:
    shared = optuna.load_study(
        study_name="s", storage=open_storage(storage_url(path), heartbeat=False)
    )
    start.wait()  # type: ignore[attr-defined]
    while shared.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        owned.put(shared.ask().user_attrs.get("work"))  # type: ignore[attr-defined]
    owned.put("end")  # type: ignore[attr-defined]


@pytest.mark.slow
def test_no_two_processes_own_one_trial_of_an_sqlite_study(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "s.db")
    made = optuna.create_study(storage=open_storage(url, heartbeat=False), study_name="s")
    named = url.render_as_string()
    for work in range(60):
        made.enqueue_trial({}, user_attrs={"work": work})
    spawn = multiprocessing.get_context("spawn")
    start, owned = spawn.Barrier(4), spawn.Queue()
    workers = [spawn.Process(target=claim, args=(named, start, owned)) for _ in range(4)]
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
