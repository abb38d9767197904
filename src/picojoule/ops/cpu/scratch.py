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


def addresses(plan: Plan, steps: int, share: int = 0) -> list[int]:
    """Where a share of a call may keep each of NAMES, `t WIDEST` float32; any place for one not kept.

    The calling thread keeps the memory for its next call: asking anew each time makes the allocator hand
    pages back and forth with the system.
    """
    names, size = kept(plan), steps * WIDEST
    memories: dict[int, Tensor] = _own.__dict__.setdefault("memories", {})
    if share not in memories or len(memories[share]) < len(names) * size:
        memories[share] = torch.empty(len(names) * size)
    start = memories[share].data_ptr()
    return [start + 4 * size * (names.index(n) if n in names else 0) for n in NAMES]
