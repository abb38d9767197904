"""The Optuna study of a sweep: made once, and never mixed with another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picojoule.extras import extra
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.folder import DATABASE
from picojoule.training.sweeping.run_queue import RunQueue
from picojoule.training.sweeping.storage import kept_in_reach, open_storage, quiet
from picojoule.training.sweeping.storage_url import sqlite_url

if TYPE_CHECKING:
    from sqlalchemy import URL

_CONFIG, _FOLDER = "sweep", "folder"


@contextmanager
def open_queue(
    config: SweepConfig, folder: Path, storage: URL | None, name: str
) -> Iterator[RunQueue]:
    """Open the study of a sweep, or make it.

    Args:
        config: the sweep.
        folder: where its weights are.
        storage: the database that others use too; None for an SQLite file in the folder, ours alone.
        name: the study's in the database.

    Raises:
        ConnectionError: the database cannot be reached, or is lost meanwhile.
        ValueError: the study there is of another sweep, or has its weights in another folder.
    """
    with extra("train"):
        import optuna
    alone = storage is None
    url = storage or sqlite_url(folder.resolve() / DATABASE)
    with quiet(), kept_in_reach(url):
        database = open_storage(url, heartbeat=not alone)
        try:
            study = optuna.create_study(
                storage=database,
                study_name=name,
                directions=["minimize", "maximize"],
                sampler=optuna.samplers.RandomSampler(),  # has no say: every trial is enqueued
                load_if_exists=True,
            )
            if _CONFIG in study.user_attrs or study.trials:
                _check_same(config, None if alone else folder, study.user_attrs, name)
            else:
                study.set_user_attr(_FOLDER, str(folder.resolve()))
                study.set_user_attr(_CONFIG, config.to_dict())
            yield RunQueue(study, database, config, alone=alone)
        finally:
            database.remove_session()
            database.engine.dispose()


def _check_same(config: SweepConfig, folder: Path | None, saved: dict[str, Any], name: str) -> None:
    if not isinstance(saved.get(_CONFIG), dict):
        raise ValueError(f"sweep: the study {name!r} in this storage is no sweep's; name another.")
    differences = config.differences(saved[_CONFIG])
    if differences:
        raise ValueError(
            f"sweep: the study {name!r} in this storage is of another sweep: {'; '.join(differences)}. Give the "
            "settings it was started with, or name another study."
        )
    if folder is not None and saved[_FOLDER] != str(folder.resolve()):
        raise ValueError(
            f"sweep: the study {name!r} in this storage keeps its weights in {saved[_FOLDER]}, not in "
            f"{folder.resolve()}. Give every machine the same folder, which all of them see, or name another study."
        )
