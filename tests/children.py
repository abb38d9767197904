"""Programs that a test starts and ends."""

import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def started(command: Sequence[object], **streams: int | None) -> Iterator[subprocess.Popen[str]]:
    """A program while the block runs; a test that fails leaves none behind.

    A suite that runs in the background ignores Ctrl-C, and a child inherits that: this one hears it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([str(word) for word in command], text=True, **streams)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("localhost", 0))
        port: int = any_port.getsockname()[1]
        return port
