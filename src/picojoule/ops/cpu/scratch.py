"""What a thread works in: rows of WIDEST neurons, and what the pass backward computes again."""

from __future__ import annotations

import itertools
import threading

import torch
from torch import Tensor

from picojoule.ops.plan import Plan

WIDEST = 1024  # neurons that a kernel works on at a time: 4 kB a buffer, in the first-level cache
# of each step: the potential before the reset, after it, the synaptic current, the spike trace
NAMES = ("before", "after", "current", "trace")

_own = threading.local()


def kept(plan: Plan) -> tuple[str, ...]:
    """Those of NAMES that a plan's pass backward needs."""
    used = (
        True,
        plan.bounded or (plan.leaks and plan.trained),
        plan.synaptic and plan.trained,
        plan.adaptive,
    )
    return tuple(itertools.compress(NAMES, used))


def addresses(plan: Plan, steps: int) -> list[int]:
    """Where the calling thread may keep each of NAMES, `t WIDEST` float32; any place for one not kept.

    A thread keeps the memory for its next call: asking anew each time makes the allocator hand pages
    back and forth with the system.
    """
    names, size = kept(plan), steps * WIDEST
    memory: Tensor | None = getattr(_own, "memory", None)
    if memory is None or len(memory) < len(names) * size:
        memory = _own.memory = torch.empty(len(names) * size)
    start = memory.data_ptr()
    return [start + 4 * size * (names.index(n) if n in names else 0) for n in NAMES]
