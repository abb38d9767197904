"""The threshold is the most accurate within the budget, on the samples it was set on."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import Tensor, nn

from picojoule.budget import EarlyExit, ExitRecord, ExitRule
from picojoule.budget.early_exit.record import RecordedBatch
from tests.budget.early_exit.networks import CASES, TIME, Case

SPIKES = CASES["lenet of a batch size"]


def recorded(samples: int, time: int, levels: int, seed: int) -> RecordedBatch:
    """Anything; of few levels of sureness, many samples share one."""
    random = torch.Generator().manual_seed(seed)
    return RecordedBatch(
        sure=torch.randint(levels, (samples, time), generator=random) / levels,
        right=torch.rand(samples, time, generator=random) < 0.6,
        synops=torch.randint(0, 50, (samples, time), generator=random).double(),
    )


def tried(batches: list[RecordedBatch], least: float, last_step: int) -> tuple[float, float]:
    """SynOps per sample and accuracy, sample by sample."""
    spent, right, samples = 0.0, 0, 0
    for batch in batches:
        for sure, hit, synops in zip(batch.sure, batch.right, batch.synops, strict=True):
            t = 1
            while t < min(len(sure), last_step) and not sure[t - 1] >= least:
                t += 1
            spent, right, samples = spent + float(synops[:t].sum()), right + int(hit[t - 1]), samples + 1  # fmt: skip
    return spent / samples, right / samples


@pytest.mark.parametrize("levels", [2, 7, 1000])
def test_no_other_rule_is_more_accurate_within_the_budget_or_as_accurate_for_less(
    levels: int,
) -> None:
    batches = [recorded(12, 5, levels, 1), recorded(9, 3, levels, 2), recorded(4, 1, levels, 3)]
    record = ExitRecord(batches)
    seen = {float(x) for batch in batches for x in batch.sure.flatten()}
    points = [tried(batches, least, last) for least in (*seen, inf) for last in range(1, 6)]
    budgets = sorted({spent for spent, _ in points})
    for budget in (*budgets[:: 1 + len(budgets) // 20], 2 * budgets[-1]):
        found = record.best_within(budget)
        want = max((right, -spent) for spent, right in points if spent <= budget)
        spent, right = tried(batches, found.least, found.last_step or 5)
        assert (right, -spent) == want
        figures = record.at(found)
        assert (figures.synops_per_sample, figures.accuracy) == (spent, right)
        assert found.least not in seen or levels == 1000  # rounding on either side does not matter


def test_a_budget_below_the_first_step_says_what_that_spends() -> None:
    record = ExitRecord([recorded(10, 4, 9, 0)])
    least = record.at_once.synops_per_sample
    with pytest.raises(ValueError, match=rf"out of reach.*first time step.*{least:.6g} on average"):
        record.best_within(0.999 * least)
    assert record.best_within(least) == ExitRule(inf, last_step=1)


def test_where_nobody_can_be_told_from_others_a_shorter_time_is_left() -> None:
    """All are unsure until the last step; a threshold alone would stop all after the first, or none."""
    time = 4
    batch = RecordedBatch(
        sure=torch.zeros(8, time),
        right=torch.arange(time).expand(8, -1) >= 2,
        synops=torch.full((8, time), 10.0),
    )
    record = ExitRecord([batch])
    assert record.best_within(35.0) == ExitRule(inf, last_step=3)
    assert record.at(ExitRule(inf, 3)).accuracy == 1.0


def labelled(
    model: nn.Module, *shapes: tuple[int, int], case: Case = SPIKES
) -> list[tuple[Tensor, Tensor]]:
    """What the network answers at the end is right, so it has to run on to be right."""
    frames = [case.samples(batch=batch, time=time) for batch, time in shapes]
    early = EarlyExit(model)
    return [(each, early(each).answers.argmax(1)) for each in frames]


@pytest.mark.parametrize("sure", ["entropy", "margin"])
def test_what_is_calibrated_is_what_then_happens(sure: str) -> None:
    model, _ = SPIKES.build()
    data = labelled(model, (12, TIME), (7, TIME), (5, 3))  # of other numbers of time steps, too
    early = EarlyExit(model, sure)  # type: ignore[arg-type]
    record = early.observe(data)
    middle = (record.at_once.synops_per_sample + record.full.synops_per_sample) / 2
    found = early.calibrate(data, synops_per_sample=middle)
    assert found.needed
    assert (early.threshold, early.last_step) == (found.threshold, found.last_step)
    exits = [early(frames) for frames, _ in data]
    hits = sum(
        int((each.answers.argmax(1) == labels).sum())
        for each, (_, labels) in zip(exits, data, strict=True)
    )
    assert float(torch.cat([each.synops for each in exits]).mean()) == found.exit.synops_per_sample
    assert found.exit.synops_per_sample <= middle
    assert float(torch.cat([each.steps for each in exits]).double().mean()) == found.exit.exit_step
    assert hits / 24 == found.exit.accuracy
    assert found.full == record.full
    assert 1 < found.exit.exit_step < record.full.exit_step


def test_where_no_exit_is_needed_it_says_so_and_accuracy_is_no_less() -> None:
    model, _ = SPIKES.build()
    data = labelled(model, (12, TIME))
    found = EarlyExit(model).calibrate(data, synops_per_sample=1e9)
    assert not found.needed
    assert "No exit is needed" in str(found)
    assert found.exit.accuracy >= found.full.accuracy


def test_a_budget_out_of_reach_leaves_the_threshold() -> None:
    model, _ = SPIKES.build()
    early = EarlyExit(model, threshold=0.3, last_step=5)
    with pytest.raises(ValueError, match="out of reach"):
        early.calibrate(labelled(model, (12, TIME)), synops_per_sample=1.0)
    assert (early.threshold, early.last_step) == (0.3, 5)


def test_one_time_step_is_all_there_is() -> None:
    model, _ = SPIKES.build()
    early = EarlyExit(model)
    data = labelled(model, (12, 1))
    found = early.calibrate(data, synops_per_sample=1e9)
    assert found.exit == found.full
    assert found.exit.exit_step == 1
    with pytest.raises(ValueError, match="out of reach"):
        early.calibrate(data, synops_per_sample=0.9 * found.full.synops_per_sample)
