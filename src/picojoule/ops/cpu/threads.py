"""Sharing rows out over as many threads as PyTorch uses.

The threads are Python's own, since kernels run without the interpreter's lock: numba's threading
layers abort when two Python threads call at once, or hang after a fork.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def num_cores() -> int:
    """Cores that this process may run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


def num_workers() -> int:
    """PyTorch's number of threads, but no more than there are cores to run them on."""
    return max(1, min(torch.get_num_threads(), num_cores()))


def share_out(num_rows: int, run: Callable[[int, int], None], fewest: int = 1) -> None:
    """Call `run(first, last)` for contiguous shares of the rows, side by side, and wait for all.

    A thread gets at least `fewest` rows: to hand a share over takes as long as some thousand neurons do.
    """
    shares = num_rows // fewest
    workers = min(num_workers(), shares) if shares > 1 else 1  # to ask the system takes time too
    if workers <= 1:
        run(0, num_rows)
        return
    bounds = [num_rows * k // workers for k in range(workers + 1)]
    others = [_pool(workers).submit(run, *bounds[k : k + 2]) for k in range(1, workers)]
    try:
        run(bounds[0], bounds[1])
    finally:
        for other in others:
            other.result()


def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads of this process: a fork inherits the object, but not its threads."""
    key = (os.getpid(), workers)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(workers - 1, thread_name_prefix="picojoule")
    return _pools[key]
