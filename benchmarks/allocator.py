"""The memory allocator, set the same for everyone who is timed.

glibc gives the top of its heap back to the system when more than twice the last large block is free there. A
few kilobytes decide whether a step of tens of megabytes does that each time and then faults every page in
again: times jump by a factor of two with no change in what is measured. So freed memory stays in the process
while times are taken. Peak memory is measured with the allocator as it is.
"""

from __future__ import annotations

import os
import sys

ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": str(2**25)}


def keep_freed_memory() -> None:
    """Start this process again with the allocator set; glibc reads its settings when a process starts."""
    if not set(ALLOCATOR) <= set(os.environ):
        again = [sys.executable, *sys.orig_argv[1:]]  # `-m` included
        os.execve(sys.executable, again, {**os.environ, **ALLOCATOR})  # noqa: S606  (the same program)


def as_it_is() -> dict[str, str]:
    """The environment of a process whose allocator is not touched."""
    return {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
