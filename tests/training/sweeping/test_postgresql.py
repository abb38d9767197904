"""A sweep in a PostgreSQL server of its own, from Debian's package; skipped where there is none."""

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from picojoule.training import Quiet, sweep
from picojoule.training.sweeping.storage import open_storage, quiet
from picojoule.training.sweeping.storage_url import storage_url
from tests.training.sweeping.postgresql import running
from tests.training.sweeping.pretend import pretend
from tests.training.sweeping.test_killed import CONFIG, finish, start, wait_until_it_trains

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running() as url:
        yield url


def test_machines_share_a_sweep_in_postgresql_and_take_over_from_one_that_died(
    server: str, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    machines = [start(folder, 1, server) for _ in range(3)]
    for machine in machines[:2]:
        wait_until_it_trains(folder, machine)
        machine.kill()
    for machine in machines[:2]:
        machine.wait()
    assert machines[2].wait(timeout=300) == 0
    frontier = finish(folder, 1, server)
    assert frontier == sweep(CONFIG, tmp_path / "unbroken", Quiet(), trainer=pretend)
    with quiet():
        storage = open_storage(storage_url(server), heartbeat=False)
    trials = optuna.load_study(study_name="sweep", storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    complete = [trial.user_attrs["step"] for trial in trials if trial.state.name == "COMPLETE"]
    runs = [run.name for seed in CONFIG.all_seeds for run in CONFIG.runs(seed)]
    assert sorted(complete) == sorted(runs)


def test_a_server_that_is_not_there_is_named_and_leaves_no_folder(
    server: str, tmp_path: Path
) -> None:
    nowhere = f"postgresql://me:secret@/postgres?host={tmp_path}"
    with pytest.raises(ConnectionError, match=r"cannot be reached: .*No such file") as raised:
        sweep(CONFIG, tmp_path / "a", Quiet(), storage=nowhere, trainer=pretend)
    assert "secret" not in str(raised.value)
    none = server.replace("/postgres?", "/none?")
    with pytest.raises(ConnectionError, match='database "none" does not exist'):
        sweep(CONFIG, tmp_path / "a", Quiet(), storage=none, trainer=pretend)
    assert not (tmp_path / "a").exists()
