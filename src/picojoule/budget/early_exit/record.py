"""What a network answers, how sure it is and what it spends after each time step: all thresholds from one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

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

    def exits(self, least: float) -> Tensor:
        """The step, from 0 on, at which each sample leaves: the first that is as sure as that, or the last. `b`."""
        done = self.sure >= least
        done[:, -1] = True
        return done.int().argmax(1)


class ExitRecord:
    """Samples that ran to the end, with what was known of them after each time step.

        a sample leaves after step t = the first at which sure[t] >= least, or the last
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
        >>> record.at(0.5)
        ExitFigures(accuracy=1.0, exit_step=1.5, synops_per_sample=35.0)
        >>> record.best_within(36.0)
        0.5
    """

    def __init__(self, batches: Sequence[RecordedBatch]) -> None:
        if not sum(len(batch.sure) for batch in batches):
            raise ValueError("EarlyExit: the data have no sample, expected one at least.")
        self._batches = tuple(batches)
        self.samples = sum(len(batch.sure) for batch in batches)

    def at(self, least: float) -> ExitFigures:
        """The figures, if samples leave that are at least as sure as `least`; inf is nobody before the end."""
        right, steps, synops = 0, 0, 0.0
        for batch in self._batches:
            exits = batch.exits(least)
            at = exits.unsqueeze(1)
            right += int(batch.right.gather(1, at).sum())
            steps += int((exits + 1).sum())
            synops += float(batch.synops.double().cumsum(1).gather(1, at).sum())
        return ExitFigures(right / self.samples, steps / self.samples, synops / self.samples)

    @property
    def full(self) -> ExitFigures:
        """Nobody leaves before the last step."""
        return self.at(inf)

    @property
    def at_once(self) -> ExitFigures:
        """Everybody leaves after the first step: the least that can be spent."""
        return self.at(-inf)

    def best_within(self, synops_per_sample: float) -> float:
        """The least sureness with the highest accuracy within a budget; of those the one that spends least.

        What a threshold does changes only where it passes the surest that some sample has been so far. Between two
        such values the middle is taken, so that rounding in another batch does not matter.

        Args:
            synops_per_sample: the budget: mean SynOps of a sample up to its exit.

        Returns:
            For `at`; inf if nobody has to leave, -inf if everybody does after the first step.

        Raises:
            ValueError: even an exit after the first step spends more; the message says what it spends.
        """
        peaks, synops, right = self._changes()
        values, place = torch.unique(peaks, return_inverse=True)  # ascending
        start = torch.zeros(len(values) + 1, dtype=torch.float64)
        # with a threshold above values[k], all samples go on that were no surer up to then
        more = start.index_add(0, place + 1, synops).cumsum(0)
        hits = start.index_add(0, place + 1, right).cumsum(0)
        first = sum(float(batch.synops[:, 0].double().sum()) for batch in self._batches)
        affordable = (first + more) / self.samples <= synops_per_sample
        if not affordable[0]:
            raise ValueError(
                f"EarlyExit: a budget of {synops_per_sample:g} SynOps per sample is out of reach. Even if every sample "
                f"left after its first time step, they would spend {first / self.samples:.6g} on average. Give at least "
                "that, or train the network to spend less in a step, with picojoule.Budget."
            )
        best = int(hits.where(affordable, torch.tensor(-inf)).argmax())
        return _between(values, best)

    def _changes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Where a rising threshold makes a sample go on for one step more, and what that changes.

        Flat, over samples and steps: the surest that the sample was so far, the SynOps of the next step, and whether
        its answer turns right (1) or wrong (-1).
        """
        peaks, synops, right = [], [], []
        for batch in self._batches:
            hits = batch.right.double()
            peaks.append(batch.sure[:, :-1].double().cummax(1).values.flatten())
            synops.append(batch.synops[:, 1:].double().flatten())
            right.append((hits[:, 1:] - hits[:, :-1]).flatten())
        return torch.cat(peaks), torch.cat(synops), torch.cat(right)


def _between(values: Tensor, place: int) -> float:
    """A number above the first `place` values, ascending, and not above the next."""
    if place == 0:
        return -inf
    if place == len(values):
        return inf
    below, above = values[place - 1].item(), values[place].item()
    middle = (below + above) / 2
    return middle if below < middle else above
