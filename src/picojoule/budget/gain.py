"""The gain on the currents into one layer, and how large its steps are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from picojoule.budget.split_range import SplitRange

_STREAK = 20  # steps in one direction after which they grow fast: it is no swing


@dataclass
class Gain:
    """One layer's gain on its way.

    Args:
        log: its logarithm.
        step: the share of a step that it takes now.
        sign: the direction of the last one.
        streak: steps in this direction.
        rate: mean rate of the layer, averaged.
        peak: the highest that this was, of late.
    """

    log: float = 0.0
    step: float = 1.0
    sign: int = 0
    streak: int = 0
    rate: float = 0.0
    peak: float = 0.0

    def turn(self, change: float, settings: SplitRange) -> float:
        """Take a step; returns the factor by which the gain changes.

        A change of direction halves the steps that follow; steps in one direction let them grow again.

        Example:
            >>> gain, settings = Gain(), SplitRange()
            >>> _ = gain.turn(0.02, settings), gain.turn(-0.02, settings)
            >>> gain.step, gain.log
            (0.5, 0.01)
        """
        sign = (change > 1e-12) - (change < -1e-12)
        if sign and sign == -self.sign:
            self.step, self.streak = max(self.step / 2, settings.least_step), 0
        elif sign:
            self.streak += 1
            self.step = min(self.step * (1.02 if self.streak < _STREAK else 1.1), 1.0)
        self.sign = sign or self.sign
        most = math.log(settings.most_gain)
        before = self.log
        self.log = max(-2 * most, min(before + change * self.step, most))
        return math.exp(self.log - before)
