"""What a thread works in: rows of WIDEST neurons, and what the pass backward computes again."""

from __future__ import annotations

import itertools
import threading

import torch
from torch import Tensor

from picojoule.ops.plan import Plan

WIDEST = 1024  # neurons that a kernel works on at a time: 4 kB a buffer, in the first-level cache
VECTOR = 32  # bytes that are written at once
# bytes of a sequence from which on it is written past the caches, which it would fill
STREAMED = 1 << 23
# of each step: potential before the reset; potential, what arrived at the synapse, spike trace before the step
NAMES = ("u", "v_mem", "arrived", "b")

_own = threading.local()


def kept(plan: Plan) -> tuple[str, ...]:
    """Those of NAMES that a plan's pass backward needs."""
    used = (True, plan.leaks and plan.trained, plan.synaptic and plan.trained, plan.adaptive)
    return tuple(itertools.compress(NAMES, used))


def is_streamed(made: Tensor) -> bool:
    """Whether a sequence `b t *n` is to be written past the caches; a vector begins at a multiple of its size."""
    size = made.element_size()
    fits = made.data_ptr() % VECTOR == 0 and made.shape[2:].numel() * size % VECTOR == 0
    return fits and made.numel() * size >= STREAMED


def address(plan: Plan, steps: int, share: int = 0) -> int:
    """Where a share of a call may keep what its pass backward needs, `t kept WIDEST` reals.

    The calling thread keeps the memory for its next call: asking anew each time makes the allocator hand
    pages back and forth with the system.
    """
    size = steps * len(kept(plan)) * WIDEST * (2 if plan.dtype == "float64" else 1)
    memories: dict[int, Tensor] = _own.__dict__.setdefault("memories", {})
    if share not in memories or len(memories[share]) < size:
        memories[share] = torch.empty(size)
    return memories[share].data_ptr()
