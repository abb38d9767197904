"""Which database a user means, found out without touching it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picojoule.extras import extra

if TYPE_CHECKING:
    from sqlalchemy import URL

_EXPECTED = "expected one such as postgresql://user:password@host/database or sqlite:///file.db"
_POSTGRESQL = ("postgresql", "postgres")  # as servers hand them out, without a driver
_DRIVER = "postgresql+psycopg"


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file.

    Example:
        >>> sqlite_url(Path("/runs/study.db")).render_as_string()
        'sqlite:////runs/study.db'
    """
    with extra("train"):
        from sqlalchemy import URL
    return URL.create("sqlite", database=str(path))


def storage_url(storage: str) -> URL:
    """The database that `--storage` names, of a kind that can be spoken to from here.

    Args:
        storage: as SQLAlchemy wants it; `postgresql://` goes by psycopg, of the extra `postgres`.

    Raises:
        ValueError: that is no URL of a database, or one of no use to a sweep.
        ImportError: the package for that kind of database is missing.

    Example:
        >>> storage_url("sqlite:///")
        Traceback (most recent call last):
        ValueError: sweep: the storage 'sqlite:///' names no file: SQLite would keep it in memory, and nothing of it.
    """
    url = _parsed(storage)
    if url.drivername in _POSTGRESQL:
        url = url.set(drivername=_DRIVER)
    dialect = _driven(url)
    if url.get_backend_name() == "sqlite":
        try:
            dialect().create_connect_args(url)
        except Exception as error:
            raise ValueError(f"sweep: the storage {shown(url)} is of no use: {error}") from error
        _check_has_file(url)
    return url


def shown(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def _parsed(storage: str) -> URL:
    with extra("train"):
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    said = re.sub(r":[^:@/]*@", ":***@", storage)
    if storage != storage.strip():
        raise ValueError(f"sweep: the storage {said!r} begins or ends with a space; leave it out.")
    try:
        return make_url(storage)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise ValueError(f"sweep: the storage {said!r} is no database URL; {_EXPECTED}.") from None


def _driven(url: URL) -> Any:
    """The class that speaks to a URL's database; its driver is there."""
    with extra("train"):
        from sqlalchemy.exc import NoSuchModuleError
    try:
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except NoSuchModuleError:
        raise ValueError(
            f"sweep: the storage {shown(url)} is of a kind of database, {url.drivername!r}, that is not known; {_EXPECTED}."
        ) from None
    except ImportError as error:
        raise ImportError(_missing(url, error), name=error.name) from error
    return dialect


def _missing(url: URL, error: ImportError) -> str:
    package = error.name or str(error)
    if url.drivername == _DRIVER:
        return (
            f"sweep: the storage {shown(url)} needs {package}, which is not installed or does not load ({error}); "
            "pip install 'picojoule[postgres]'"
        )
    return (
        f"sweep: the storage {shown(url)} needs the package {package}, which is not installed. Of databases on a "
        "server picojoule brings PostgreSQL's: pip install 'picojoule[postgres]'"
    )


def _check_has_file(url: URL) -> None:
    """Raise ValueError if it would be lost with the process, and nobody could share it."""
    name = url.database or ""
    if name in ("", ":memory:") or ":memory:" in name or url.query.get("mode") == "memory":
        raise ValueError(
            f"sweep: the storage {shown(url)!r} names no file: SQLite would keep it in memory, and nothing of it."
        )
