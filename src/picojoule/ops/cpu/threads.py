"""Sharing rows out over as many threads as PyTorch uses.

They are PyTorch's own threads where they can be had (`team`), otherwise Python's, which do as well since
kernels run without the interpreter's lock. numba's threading layers abort when two Python threads call at once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from picojoule.ops.cpu.team import run_on_team, why_no_team

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def num_cores() -> int:
    """Cores that this process may run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


def num_workers() -> int:
    """PyTorch's number of threads, but no more than there are cores to run them on."""
    threads = torch.get_num_threads()
    return threads if threads == 1 else max(1, min(threads, num_cores()))  # to ask takes time


def share_out(
    kernel: Callable[..., int],
    num_rows: int,
    arguments: Callable[[int], Sequence[int]],
    fewest: int = 1,
) -> None:
    """Run `kernel` on contiguous shares of the rows, side by side, and wait for all.

    Args:
        kernel: takes two places that are not used, the first row and the last, and the rest.
        num_rows: rows in all.
        arguments: the rest, for the share of that number.
        fewest: rows of a share at least: to hand one over takes as long as some thousand neurons do.
    """
    shares = num_rows // fewest
    workers = min(num_workers(), shares) if shares > 1 else 1
    bounds = [num_rows * k // workers for k in range(workers + 1)]
    unused = ctypes.c_void_p()
    calls = [
        (ctypes.addressof(unused), 0, *bounds[k : k + 2], *arguments(k)) for k in range(workers)
    ]
    if workers == 1:
        kernel(*calls[0])
    elif why_no_team() is None:
        run_on_team(kernel, calls)
    else:
        others = [_pool(workers).submit(kernel, *call) for call in calls[1:]]
        try:
            kernel(*calls[0])
        finally:
            for other in others:
                other.result()


def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads of this process: a fork inherits the object, but not its threads."""
    key = (os.getpid(), workers)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(workers - 1, thread_name_prefix="picojoule")
    return _pools[key]
