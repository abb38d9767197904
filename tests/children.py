"""Programs that a test starts and ends."""

import signal
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
