"""How the learning rate changes over a run."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "hold", "constant"]
_HELD = 0.7  # share of the steps


def share_of_rate(schedule: Schedule, done: float) -> float:
    """The learning rate at a point of the run, over that at the start.

    "cosine" falls to zero along half a cosine; "hold" stays for 70 % of the steps and then falls linearly to zero;
    "constant" stays.

    Args:
        schedule: which.
        done: share of the steps behind us, 0 to 1.

    Example:
        >>> [round(share_of_rate("cosine", done), 3) for done in (0.0, 0.5, 1.0)]
        [1.0, 0.5, 0.0]
        >>> [round(share_of_rate("hold", done), 3) for done in (0.0, 0.7, 0.85, 1.0)]
        [1.0, 1.0, 0.5, 0.0]
    """
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if schedule == "hold":
        return min(1.0, (1 - done) / (1 - _HELD))
    return 1.0
