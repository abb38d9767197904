"""The stand-in for asynchronous hardware: where order cannot matter it is the network itself; where it does, it shows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import picojoule
from benchmarks.event_by_event import run_event_by_event
from picojoule.layers import IAF, FlattenTime, IAFSqueeze, SumPool2d, UnflattenTime


def network(batch_size: int) -> nn.Sequential:
    return nn.Sequential(
        FlattenTime(),
        nn.Conv2d(2, 3, 3, bias=False),
        IAFSqueeze(batch_size=batch_size, spike_threshold=0.5),
        SumPool2d(2),
        nn.Flatten(),
        nn.Linear(3 * 2 * 2, 4, bias=False),
        IAFSqueeze(batch_size=batch_size),
        UnflattenTime(batch_size=batch_size),
    )


def one_at_a_time(samples: int, steps: int) -> Tensor:
    frames = torch.zeros(samples, steps, 2 * 7 * 6)
    where = torch.randint(0, 2 * 7 * 6, (samples, steps, 1))
    return frames.scatter_(2, where, 1.0).reshape(samples, steps, 2, 7, 6)


def exact(model: nn.Sequential) -> None:
    """Weights of which sums are exact, none of them below 0: then a spike cannot be too early."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_((parameter.abs() * 2**8).round() / 2**8)


def test_without_inhibition_any_order_gives_the_spikes_of_the_time_steps() -> None:
    model, frames = network(3), one_at_a_time(3, 60)
    exact(model)
    with torch.no_grad(), picojoule.Monitor(model) as monitor:
        spikes = model(frames).sum(1)
    for at_once in (frames, frames.reshape(3, 6, 10, 2, 7, 6).sum(2)):
        found = run_event_by_event(model, at_once)
        assert torch.equal(found.spikes, spikes)
        assert torch.equal(found.left, model[6].v_mem)
        assert found.synops == pytest.approx(monitor.synops.per_sample.total.item())
    assert bool(spikes.sum() > 20)


def test_a_spike_that_inhibition_would_have_stopped_is_not_taken_back() -> None:
    """+1 and -1 in one step cancel; one after the other, +1 first in half of the orders, there is a spike."""
    layer = nn.Linear(2, 1, bias=False)
    nn.init.constant_(layer.weight[0, :1], 1.0)
    nn.init.constant_(layer.weight[0, 1:], -1.0)
    model = nn.Sequential(layer, IAF())
    frames = torch.ones(100, 1, 2)
    with torch.no_grad():
        assert model(frames).sum() == 0
    found = run_event_by_event(model, frames)
    assert 30 < found.spikes.sum() < 70
    assert torch.equal(found.spikes + found.left, torch.zeros(100, 1))
