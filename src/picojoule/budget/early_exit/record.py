"""What a network answers, how sure it is and what it spends after each time step: all thresholds from one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class ExitFigures:
    """Means over some samples.

    Attributes:
        accuracy: share of the samples that are classified right, 0 to 1.
        exit_step: time steps that a sample runs, from 1 on.
        synops_per_sample: SynOps of a sample up to its exit.
    """

    accuracy: float
    exit_step: float
    synops_per_sample: float


class ExitRule(NamedTuple):
    """When a sample leaves: once it is as sure as `least`, but not after `last_step`.

    Attributes:
        least: of its sureness; inf is never.
        last_step: from 1 on; a sample leaves at its end, if that is earlier. None is its end.
    """

    least: float = inf
    last_step: int | None = None


@dataclass(frozen=True)
class RecordedBatch:
    """The samples of one batch, which all ran to the end.

    Args:
        sure: how sure the answer was after each step, `b t`: the higher the surer.
        right: whether it was right, `b t`, bool.
        synops: SynOps of each step, `b t`.
    """

    sure: Tensor
    right: Tensor
    synops: Tensor

    def exits(self, rule: ExitRule) -> Tensor:
        """The step, from 0 on, after which each sample leaves: `b`."""
        done, num_timesteps = self.sure >= rule.least, self.sure.shape[1]
        done[:, min(rule.last_step or num_timesteps, num_timesteps) - 1] = True
        return done.int().argmax(1)


class ExitRecord:
    """Samples that ran to the end, with what was known of them after each time step.

        a sample leaves after step t = the first at which sure[t] >= least, but last_step at the latest
        accuracy = mean of right[t];   synops_per_sample = mean of sum over u <= t of synops[u]

    Args:
        batches: at least one, of any number of time steps each.

    Raises:
        ValueError: there is no sample.

    Example:
        >>> batch = RecordedBatch(
        ...     sure=torch.tensor([[0.75, 1.0], [0.25, 0.5]]),
        ...     right=torch.tensor([[True, True], [False, True]]),
        ...     synops=torch.tensor([[10.0, 10.0], [30.0, 30.0]]),
        ... )
        >>> record = ExitRecord([batch])
        >>> record.at(ExitRule(least=0.5))
        ExitFigures(accuracy=1.0, exit_step=1.5, synops_per_sample=35.0)
        >>> record.best_within(36.0)
        ExitRule(least=0.5, last_step=None)
    """

    def __init__(self, batches: Sequence[RecordedBatch]) -> None:
        self._batches = tuple(batch for batch in batches if len(batch.sure))
        if not self._batches:
            raise ValueError("EarlyExit: the data have no sample, expected one at least.")
        self.samples = sum(len(batch.sure) for batch in self._batches)
        self.num_timesteps = max(batch.sure.shape[1] for batch in self._batches)

    def at(self, rule: ExitRule) -> ExitFigures:
        """The figures, if samples leave by this rule."""
        right, steps, synops = 0, 0, 0.0
        for batch in self._batches:
            exits = batch.exits(rule)
            at = exits.unsqueeze(1)
            right += int(batch.right.gather(1, at).sum())
            steps += int((exits + 1).sum())
            synops += float(batch.synops.double().cumsum(1).gather(1, at).sum())
        return ExitFigures(right / self.samples, steps / self.samples, synops / self.samples)

    @property
    def full(self) -> ExitFigures:
        """Nobody leaves before the last step."""
        return self.at(ExitRule())

    @property
    def at_once(self) -> ExitFigures:
        """Everybody leaves after the first step: the least that can be spent."""
        return self.at(ExitRule(last_step=1))

    def best_within(self, synops_per_sample: float) -> ExitRule:
        """The most accurate rule within a budget; of equally accurate ones the one that spends least.

        All last steps are tried with all sureness that make a difference. Between two of these the middle is taken,
        so that rounding in another batch does not matter.

        Args:
            synops_per_sample: the budget: mean SynOps of a sample up to its exit.

        Raises:
            ValueError: even an exit after the first step spends more; the message says what it spends.
        """
        first = sum(float(batch.synops[:, 0].double().sum()) for batch in self._batches)
        if not first / self.samples <= synops_per_sample:
            raise ValueError(
                f"EarlyExit: a budget of {synops_per_sample:g} SynOps per sample is out of reach. Even if every sample "
                f"left after its first time step, they would spend {first / self.samples:.6g} on average. Give at least "
                "that, or train the network to spend less in a step, with picojoule.Budget."
            )
        changes = self._changes()
        best: tuple[float, float, ExitRule] | None = None
        for last_step in range(1, self.num_timesteps + 1):
            values, synops, right = changes.until(last_step)
            affordable = (first + synops) / self.samples <= synops_per_sample
            place = int(right.where(affordable, torch.tensor(-inf)).argmax())  # the first of equals
            found = right[place].item(), -synops[place].item()
            if best is None or found > best[:2]:
                end = last_step if last_step < self.num_timesteps else None
                best = (*found, ExitRule(_between(values, place), end))
        assert best is not None
        return best[2]

    def _changes(self) -> _Changes:
        parts = []
        for batch in self._batches:
            step = torch.arange(1, batch.sure.shape[1]).expand(len(batch.sure), -1)
            hits = batch.right.double().diff(dim=1)
            peaks = batch.sure[:, :-1].double().cummax(1).values
            each = step.double(), peaks, batch.synops[:, 1:].double(), hits
            parts.append(torch.stack([x.flatten() for x in each]))
        everything = torch.cat(parts, 1)
        return _Changes(everything[:, everything[1].argsort()])


@dataclass(frozen=True)
class _Changes:
    """Where a rising threshold makes a sample go on for one step more, and what that changes.

    Args:
        by_peak: `4 n`: the step that it goes on from, from 1 on; the surest that it was up to then, ascending; the
            SynOps of the next step; and whether its answer turns right (1) or wrong (-1).
    """

    by_peak: Tensor

    def until(self, last_step: int) -> tuple[Tensor, Tensor, Tensor]:
        """What thresholds come to, if nobody goes on after a step.

        Returns:
            The peaks that differ, `k`, ascending; and for a threshold that is above the first 0, 1, ... k of them:
            the SynOps and the right answers that are more than after the first step, `k + 1`.
        """
        _, peaks, synops, right = self.by_peak[:, self.by_peak[0] < last_step]
        values, place = torch.unique_consecutive(peaks, return_inverse=True)
        start = torch.zeros(len(values) + 1, dtype=torch.float64)
        spent = start.index_add(0, place + 1, synops).cumsum(0)
        return values, spent, start.index_add(0, place + 1, right).cumsum(0)


def _between(values: Tensor, place: int) -> float:
    """A number above the first `place` values, ascending, and not above the next."""
    if place == len(values):
        return inf
    if place == 0:
        return -inf
    below, above = values[place - 1].item(), values[place].item()
    middle = (below + above) / 2
    return middle if below < middle else above
