"""What a run may limit: the names of its bounds, their types and what one number of them holds for."""

from __future__ import annotations

from typing import Literal, get_args

from picojoule.budget.declare import Bound, Scope

Limit = Literal["synops_per_timestep", "synops_per_sample", "energy_j"]
"""What a network may spend."""
LIMITS: tuple[Limit, ...] = get_args(Limit)
BOUNDS = (*LIMITS, "min_rate", "max_rate")

Per = Literal[Scope, "trainable"]
"""What one number limits: a :class:`picojoule.Budget`'s, or each layer whose SynOps training can change."""

__all__ = ["BOUNDS", "LIMITS", "Bound", "Limit", "Per"]
