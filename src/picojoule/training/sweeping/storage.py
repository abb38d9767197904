"""The database of a sweep: SQLite in its folder, or any that Optuna speaks."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from picojoule.extras import extra

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy import Connection, Engine

HEARTBEAT_S, GRACE_S = 30, 120
_SQLITE_WAITS_S = 60
_ATTEMPTS = 3


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file; Optuna takes it for a format string.

    Example:
        >>> sqlite_url(Path("/runs/study.db"))
        'sqlite:////runs/study.db'
    """
    with extra("train"):
        from sqlalchemy import URL
    url = URL.create("sqlite", database=str(path)).render_as_string()
    return url.replace("{", "{{").replace("}", "}}")


def open_storage(url: str, *, heartbeat: bool) -> RDBStorage:
    """Connect, and make the tables if there are none.

    Args:
        url: of the database, as SQLAlchemy wants it.
        heartbeat: whether running trials give signs of life, so that others notice a machine that died.

    Raises:
        ConnectionError: the database cannot be reached.
        ValueError: that is no database URL, or its tables are of another version of Optuna.
        ImportError: the package for that kind of database is missing.
    """
    with extra("train"):
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError, DBAPIError
    try:
        parsed = make_url(url.replace("{{", "{").replace("}}", "}"))
    except ArgumentError:
        raise ValueError(
            f"sweep: the storage {url!r} is no database URL; expected one such as "
            "postgresql://user:password@host/database or sqlite:///file.db."
        ) from None
    shown = parsed.render_as_string(hide_password=True)
    sqlite = parsed.get_backend_name() == "sqlite"
    for attempt in range(_ATTEMPTS):
        try:
            storage = _connect(url, heartbeat=heartbeat, sqlite=sqlite)
        except DBAPIError as error:
            # of two machines that make the tables at once, one finds them half made
            if attempt + 1 < _ATTEMPTS:
                time.sleep(1)
                continue
            raise ConnectionError(
                f"sweep: the storage {shown} cannot be reached: {str(error.orig).strip()}."
            ) from error
        except (ArgumentError, RuntimeError) as error:
            raise ValueError(f"sweep: the storage {shown} is of no use: {error}") from error
        break
    return storage


def _connect(url: str, *, heartbeat: bool, sqlite: bool) -> RDBStorage:
    with extra("train"):
        from optuna.storages import RDBStorage
    storage = RDBStorage(
        url,
        engine_kwargs={"connect_args": {"timeout": _SQLITE_WAITS_S}} if sqlite else {},
        heartbeat_interval=HEARTBEAT_S if heartbeat else None,
        grace_period=GRACE_S if heartbeat else None,
    )
    if sqlite:
        _one_writer_at_a_time(storage.engine)
    return storage


def _one_writer_at_a_time(engine: Engine) -> None:
    """Begin each transaction with the lock for writing.

    SQLite knows no SELECT FOR UPDATE, so two workers could otherwise both take a trial for theirs.
    """
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def _leave_begin_to_us(connection: object, _: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing: of a run that fails we tell, and that heartbeats are experimental is known."""
    with extra("train"):
        from optuna import logging
        from optuna.exceptions import ExperimentalWarning
    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(before)
