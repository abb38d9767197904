"""The numbers of the controller in two ranges; what they do is told in :mod:`picojoule.budget.steering`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class SplitRange:
    """The numbers of the controller; the defaults are meant to stay.

    Args:
        most: times the task's own gradient that the pull may be, in each tensor.
        integral: by what share of `most` the pull grows in a step at `width` and above.
        proportional: by what share of `most` it follows the average at once.
        width: distance from the target, in its logarithm, at which the pull moves at full speed.
        decay: of the moving average, 0 <= decay < 1.
        lead: how far the pull looks ahead, in units of what lies between the moving average and a slower one.
        speed: change of a gain's logarithm for an error of 1.
        clip: largest error that a gain heeds; `speed * clip` is its largest change in a step.
        band: distance above the limit from which on gains act.
        revive: share of its place below which a layer is scaled up.
        settled: share of its steps below which a layer that swings stays below its limit.
        quantum: by how much, in logarithm, at most.
        least_step: to which share a layer's steps may be halved.
        most_gain: no gain rises above, nor falls below its inverse squared.

    Raises:
        ValueError: a number is out of its range.
    """

    most: float = 2.0
    integral: float = 0.01
    proportional: float = 0.25
    width: float = 0.15
    decay: float = 0.6
    lead: float = 1.0
    speed: float = 0.08
    clip: float = 0.3
    band: float = 0.05
    revive: float = 0.25
    settled: float = 1 / 8
    quantum: float = 0.35
    least_step: float = 1 / 64
    most_gain: float = 30.0

    def __post_init__(self) -> None:
        wrong = [n for n, v in asdict(self).items() if not 0 <= v < math.inf]
        if wrong or self.decay >= 1 or not self.width or not self.most:
            raise ValueError(
                f"SplitRange: expected finite numbers >= 0, width and most > 0 and decay < 1, got {self}."
            )
