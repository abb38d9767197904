"""A process that trains keeps freed memory, and so do those that it starts, unless the user says otherwise."""

import os
import platform
import subprocess
import sys

import pytest

NAMES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
PROGRAM = """
import os, resource, sys
from picojoule.cli.freed_memory import keep_freed_memory
print(keep_freed_memory())
buffers = [b"x" * (2**20 + i) for i in range(64)]  # above the usual threshold of mmap, below the new one
del buffers
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
buffers = [b"x" * (2**20 + i) for i in range(64)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print([os.environ.get(name) for name in {NAMES!r}])
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")


def run(**stated: str) -> list[str]:
    clean = {name: value for name, value in os.environ.items() if name not in NAMES}
    program = PROGRAM.replace("{NAMES!r}", repr(NAMES))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean | stated,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()


def test_memory_that_was_freed_is_not_faulted_in_again() -> None:
    was_set, faults, told = run()
    assert was_set == "True"
    assert int(faults) < 64 * 256 / 10  # 4 KiB pages of 64 MiB
    assert "None" not in told  # processes that it starts read them


def test_what_the_environment_says_stays() -> None:
    was_set, _, told = run(MALLOC_TRIM_THRESHOLD_="131072")
    assert was_set == "False"
    assert told == "['131072', None]"
