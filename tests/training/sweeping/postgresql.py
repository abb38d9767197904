"""A PostgreSQL server of its own, from Debian's package, for tests that share a sweep."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        pytest.skip("no pg_ctl under /usr/lib/postgresql; on Debian: apt-get install postgresql")
    return found[-1].parent


def unprivileged() -> str | None:
    """Whom to run the server as: PostgreSQL refuses to be root's."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@contextmanager
def running() -> Iterator[str]:
    """The URL of an empty database, over a socket in a folder of its own; the test is skipped where there is none."""
    pytest.importorskip("psycopg", reason="pip install 'picojoule[postgres]'")
    binaries, user = programs(), unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="pj"))  # short: the name of a socket has 107 letters
    if user is not None:
        shutil.chown(folder, user)

    def call(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    try:
        call("initdb", "--auth=trust", "--username=me", "--no-sync")
        settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        call("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "--options", settings)
        try:
            yield f"postgresql://me:pass%2Fword@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "--wait", "--mode=fast")
    finally:
        shutil.rmtree(folder)
