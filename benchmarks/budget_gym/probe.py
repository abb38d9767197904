"""What a network spends in the course of its training, always on the same samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from benchmarks.budget_gym.data import Samples
from benchmarks.budget_gym.limits import Constraint
from benchmarks.budget_gym.measure import measure
from picojoule import Monitor

PROBES = 24  # of a run; a third of them is enough to see a swing
SAMPLES = 200
ON_THE_WAY = 0.4  # share of the steps in which a limit comes down


class Probe:
    """Measures each few steps; to be called after each step with how many are done.

    Args:
        model: in training.
        monitor: attached to it.
        samples: held out.
        constraints: what may be spent.
        steps: of the run.
    """

    def __init__(
        self,
        model: nn.Module,
        monitor: Monitor,
        samples: Samples,
        constraints: Sequence[Constraint],
        steps: int,
    ) -> None:
        self._model, self._monitor = model, monitor
        self._samples, self._constraints = samples.of(slice(SAMPLES)), constraints
        self._steps, self._every = steps, max(steps // PROBES, 1)
        self.at: list[int] = []
        self.ratios: list[list[float]] = []  # over the limits, by probe and constraint
        self._look(0)

    def __call__(self, step: int) -> None:
        if step % self._every == 0:
            self._look(step)

    def _look(self, step: int) -> None:
        synops = measure(self._model, self._monitor, self._samples).synops
        self.at.append(step)
        self.ratios.append([each.ratio(synops) for each in self._constraints])

    @property
    def overshoot(self) -> float:
        """The most that was spent over what was allowed by then.

        allowed / limit = (first / limit)^(1 - step / (0.4 * steps)),  1 after that and if it began below
        """
        worst = 0.0
        for step, ratios in zip(self.at, self.ratios, strict=True):
            way = max(1 - step / (ON_THE_WAY * self._steps), 0.0)
            for first, ratio in zip(self.ratios[0], ratios, strict=True):
                worst = max(worst, ratio / max(first, 1.0) ** way)
        return worst

    @property
    def swing(self) -> float:
        """The largest difference in the last third of the run, over the limit."""
        return max(max(each) - min(each) for each in self._last_third())

    @property
    def late(self) -> float:
        """The mean of the last third of the constraint that spends most, over the limit."""
        return max(math.fsum(each) / len(each) for each in self._last_third())

    def _last_third(self) -> list[tuple[float, ...]]:
        late = zip(self.at, self.ratios, strict=True)
        return list(zip(*(each for step, each in late if step >= 2 / 3 * self._steps), strict=True))
