"""The kernels by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from picojoule.events.kernels.arithmetic import whole_numbers
from picojoule.events.kernels.frames import (
    arrived_of_events,
    events_of_frames,
    frames_of_events,
    pooled_frames,
    synops_of_frames,
)
from picojoule.events.kernels.stage import passing, stepped, touched
from picojoule.events.kernels.tables import STATE_BITS, whole_kernel
from picojoule.events.orders.kernels.breadth import breadth
from picojoule.events.orders.kernels.depth import depth
from picojoule.ops.plan import Plan


def _touched_in_whole_numbers(bits: int, plan: Plan) -> Callable[..., None]:
    return touched(plan, whole_numbers(bits))


# those that take a plan are made for it
SOURCES: dict[str, Any] = {
    "touched": touched,
    "stepped": stepped,
    "passing": passing,
    "events_of_frames": events_of_frames,
    "frames_of_events": frames_of_events,
    "arrived_of_events": arrived_of_events,
    "pooled_frames": pooled_frames,
    "synops_of_frames": synops_of_frames,
    "breadth": breadth,
    "depth": depth,
    **{whole_kernel(bits): partial(_touched_in_whole_numbers, bits) for bits in STATE_BITS},
}
