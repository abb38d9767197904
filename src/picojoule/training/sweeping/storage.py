"""The database of a sweep: SQLite in its folder, or any that Optuna speaks."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from picojoule.extras import extra
from picojoule.training.sweeping.storage_url import shown

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy import URL, Connection, Engine

HEARTBEAT_S, GRACE_S = 30, 120
_SQLITE_WAITS_S, _SERVER_WAITS_S = 60, 15
_ATTEMPTS = 3


def open_storage(url: URL, *, heartbeat: bool) -> RDBStorage:
    """Connect, and make the tables if there are none.

    Args:
        url: of the database, as :func:`picojoule.training.sweeping.storage_url.storage_url` gives it.
        heartbeat: whether running trials give signs of life, so that others notice a machine that died.

    Raises:
        ConnectionError: the database cannot be reached.
        ValueError: its tables are of another version of Optuna, or it is of no use otherwise.
    """
    with extra("train"):
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError
    for attempt in range(_ATTEMPTS):
        try:
            storage = _connect(url, heartbeat=heartbeat)
        except DBAPIError as error:
            # of two machines that make the tables at once, one finds them half made
            if attempt + 1 < _ATTEMPTS:
                time.sleep(1)
                continue
            raise ConnectionError(
                f"sweep: the storage {shown(url)} cannot be reached: {' '.join(str(error.orig).split())}."
            ) from error
        except (SQLAlchemyError, RuntimeError) as error:
            raise ValueError(f"sweep: the storage {shown(url)} is of no use: {error}") from error
        break
    return storage


@contextmanager
def kept_in_reach(url: URL) -> Iterator[None]:
    """Say in a sentence that a database was lost in the middle of a sweep.

    Raises:
        ConnectionError: it was lost.
    """
    with extra("train"):
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError
    try:
        yield
    except (StorageInternalError, SQLAlchemyError, AssertionError) as error:
        cause: BaseException = error
        if isinstance(error, AssertionError):  # Optuna's own, on top of what was lost
            if not isinstance(error.__context__, StorageInternalError | SQLAlchemyError):
                raise
            cause = error.__context__
        cause = cause.__cause__ or cause
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise ConnectionError(
            f"sweep: the storage {shown(url)} was lost: {reason}. Nothing that was trained is; the same command goes on."
        ) from error


def _connect(url: URL, *, heartbeat: bool) -> RDBStorage:
    with extra("train"):
        from optuna.storages import RDBStorage
    sqlite = url.get_backend_name() == "sqlite"
    waits: dict[str, Any] = {"timeout": _SQLITE_WAITS_S}
    if not sqlite:
        waits = {"connect_timeout": _SERVER_WAITS_S} if "psycopg" in url.drivername else {}
    literal = url.render_as_string(hide_password=False)
    storage = RDBStorage(
        literal.replace("{", "{{").replace("}", "}}"),  # which Optuna takes for a format
        # a run takes hours, and what lies between may close an idle connection
        engine_kwargs={"connect_args": waits, "pool_pre_ping": not sqlite},
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
    """Keep Optuna quiet: the sweep itself reports runs that fail, and heartbeats may stay experimental."""
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
