"""The kernels by name."""

from __future__ import annotations

from typing import Any

from picojoule.events.kernels.frames import (
    arrived_of_events,
    events_of_frames,
    frames_of_events,
    synops_of_frames,
)
from picojoule.events.kernels.stage import passing, stepped, touched
from picojoule.events.orders.kernels.breadth import breadth
from picojoule.events.orders.kernels.depth import depth

# those that take a plan are made for it
SOURCES: dict[str, Any] = {
    "touched": touched,
    "stepped": stepped,
    "passing": passing,
    "events_of_frames": events_of_frames,
    "frames_of_events": frames_of_events,
    "arrived_of_events": arrived_of_events,
    "synops_of_frames": synops_of_frames,
    "breadth": breadth,
    "depth": depth,
}
