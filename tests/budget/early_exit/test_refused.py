"""What cannot be run step by step is refused by name; so are a user's slips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule.budget import BudgetWarning, EarlyExit
from picojoule.layers import IAF, LIF
from tests.budget.early_exit.networks import BATCH, CLASSES, TIME, dense, spikes


class LongShort(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(10, CLASSES, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.memory(x)[0]


class Repeated(nn.Module):
    """An encoder inside makes the time steps."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = dense()

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x.repeat_interleave(4, 1)).sum(1)


class OverTime(nn.Module):
    """Each step sees what the others are."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = dense()
        with torch.no_grad():
            self.rest[0].weight.mul_(4)  # its neurons fire, whatever the weights

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x - x.mean(1, keepdim=True))


class Elsewhere(nn.Module):
    """A memory of one's own, which nobody resets."""

    def __init__(self) -> None:
        super().__init__()
        self.rest, self.seen = dense(), torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        output = self.rest(x) + self.seen
        self.seen = output.mean()
        return output


class Foreign(nn.Module):
    """A neuron of nobody we know, found by what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.v = 0.0

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for current in x.unbind(1):
            self.v = self.v + current
            outputs.append((self.v >= 1.0).float())
            self.v = self.v - outputs[-1]
        return torch.stack(outputs, 1)


def two_to_one() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 1), IAF())


def samples_apart() -> nn.Module:
    """States of two neurons' batches a sample."""
    return nn.Sequential(
        nn.Flatten(0, 1), nn.Unflatten(1, (2, 5)), nn.Flatten(0, 1), nn.Unflatten(0, (-1, 1)),
        nn.Linear(5, 4), IAF(), nn.Linear(4, CLASSES // 2), nn.Flatten(0, 1), nn.Unflatten(0, (-1, 2)), nn.Flatten(1),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*because of what they do")
@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (LongShort, NotImplementedError, r"'memory' \(LSTM\) begins anew at each call"),
        (Repeated, ValueError, "made 4 time steps of one.*encoder"),
        (two_to_one, ValueError, "expected .samples, classes. with two classes"),
        (lambda: nn.Sequential(dense(), nn.Flatten(0, 1), nn.Flatten(0)), ValueError, "answers one time step of 12 samples with"),
        (lambda: nn.Sequential(nn.Linear(10, 8), Foreign(), nn.Linear(8, CLASSES)), NotImplementedError, r"layer '1' .*Foreign.*picojoule\.layers"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_stepped_is_refused_by_name(
    network: Callable[[], nn.Module], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        EarlyExit(network(), "margin", 0.1)(spikes(10))


@pytest.mark.filterwarnings("ignore:Monitor. layer .5. got 24 samples and the input has 12")
def test_states_that_are_not_one_a_sample_are_refused() -> None:
    with pytest.raises(ValueError, match="given 24 samples where the batch has 12"):
        EarlyExit(samples_apart())(spikes(10))


LABELLED = [(spikes(10), torch.arange(BATCH) % CLASSES)]


def test_a_model_that_mixes_time_steps_is_told_when_it_is_calibrated() -> None:
    with pytest.raises(
        ValueError, match=r"one by one otherwise than at once.*\d+% of their spread"
    ):
        EarlyExit(OverTime()).calibrate(LABELLED, synops_per_sample=1e9)


def test_a_memory_of_ones_own_is_warned_of() -> None:
    with pytest.warns(BudgetWarning, match="two answers to the same frames"):
        EarlyExit(Elsewhere()).calibrate(LABELLED, synops_per_sample=1e9)


class Drawn(nn.Module):
    """An encoder that draws spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = dense()

    def forward(self, x: Tensor) -> Tensor:
        return self.rest((torch.rand_like(x) < x).float())


class MeanOverTime(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rest = nn.Sequential(dense(), LIF(5.0, norm_input=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x).mean(1)


@pytest.mark.parametrize("network", [Drawn, MeanOverTime])
def test_chance_and_a_mean_over_time_are_no_disagreement(
    network: Callable[[], nn.Module],
) -> None:
    data = [(0.5 * spikes(10), torch.arange(BATCH) % CLASSES)]
    found = EarlyExit(network()).calibrate(data, synops_per_sample=1e9)
    assert found.full.exit_step == TIME
    assert found.full.synops_per_sample > 0


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda early, x, y: early(x[0, 0]), r"frames have shape \(10,\), expected \(batch, time"),
        (lambda early, x, y: early(x[:, :0]), "at least one sample and one time step"),
        (lambda early, x, y: early.observe([(x, y[:3])]), r"12 samples have labels of shape \(3,\)"),
        (lambda early, x, y: early.observe([]), "no sample"),
        (lambda early, x, y: early.calibrate([(x, y)], synops_per_sample=0), "is 0, expected a number > 0"),
        (lambda early, x, y: EarlyExit(early.model, "certainty"), "sure is 'certainty'; choose one of entropy, margin"),
        (lambda early, x, y: EarlyExit(early.model, threshold=float("nan")), "the threshold is nan"),
        (lambda early, x, y: EarlyExit(early.model, last_step=0), "last_step is 0, expected a whole number >= 1"),
        (lambda early, x, y: EarlyExit(early.model, weights="some"), "Monitor: weights is 'some'"),
    ],
)  # fmt: skip
def test_a_slip_is_named(do: Callable[..., Any], message: str) -> None:
    early = EarlyExit(dense())
    with pytest.raises(ValueError, match=message):
        do(early, spikes(10), torch.arange(BATCH) % CLASSES)


def test_an_answer_that_is_not_finite_is_told() -> None:
    model, frames = dense(), spikes(10)
    with torch.no_grad():
        model[2].bias[0] = torch.nan  # type: ignore[index, operator]
    with pytest.raises(FloatingPointError, match=r"not finite.*check_finite"):
        EarlyExit(model).observe([(frames, torch.arange(BATCH) % CLASSES)])
