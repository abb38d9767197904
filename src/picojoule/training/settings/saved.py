"""Settings that a run has left in a file, beside those of another run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picojoule.training.optimization.optimizers import RATES

RENAMED = {"max_rate": "pixel_rate", "highest_rate": "max_rate"}
"""Settings by the names that they had until version 0.1."""

ADDED = {"time_steps_per_stage": "same"}
"""Settings that runs of earlier versions do not state, and what they had."""

SPEED_ONLY = ("devices", "workers")
"""These change how fast a run is, and none of its numbers."""


def renewed(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under each setting of a run, by the names of today.

    A run writes all of its settings down, so one from before the renaming has `highest_rate` among them.

    Example:
        >>> renewed({"max_rate": 1.0, "highest_rate": None})
        {'pixel_rate': 1.0, 'max_rate': None}
        >>> renewed({"pixel_rate": 1.0, "max_rate": None})
        {'pixel_rate': 1.0, 'max_rate': None}
    """
    if "highest_rate" not in saved:
        return dict(saved)
    return {RENAMED.get(name, name): value for name, value in saved.items()}


def with_rate(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the learning rate that none stands for, as far as that is known: Muon's depends on the steps."""
    rate, optimizer = settings.get("learning_rate"), settings.get("optimizer")
    if rate is None and isinstance(optimizer, str) and optimizer != "muon":
        rate = RATES.get(optimizer)
    return {**settings, "learning_rate": rate}
