"""The gap table: its first row is PyTorch, its last the chip, and what is between is switched on one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.events.gap import gap
from picojoule.events.orders import ChipLimits
from picojoule.layers import (
    IAF,
    LIF,
    FlattenTime,
    IAFSqueeze,
    SumPool2d,
    UnflattenTime,
    reset_states,
)
from tests.events.test_orders import ordered, spikes, whole


def net(squeezed_at_the_door: bool = False) -> nn.Module:
    inside = [
        nn.Conv2d(1, 3, 3, bias=False), IAFSqueeze(batch_size=2), SumPool2d(2), nn.Flatten(),
        nn.Linear(27, 4, bias=False), IAFSqueeze(batch_size=2),
    ]  # fmt: skip
    doors = [] if squeezed_at_the_door else [FlattenTime(), UnflattenTime(batch_size=2)]
    return whole(nn.Sequential(*doors[:1], *inside, *doors[1:]), seed=2)


def samples() -> list[tuple[Tensor, int]]:
    return [(frames, k % 4) for k, frames in enumerate(spikes(7, 5, 1, 8, 8))]


def test_rows_are_what_was_asked_for_and_add_up() -> None:
    table = gap(
        net(), samples(), batch_size=3, limits=ChipLimits(4, 10, decimate=2, queue_length=50)
    )
    assert [row.cause for row in table.rows] == [
        "nothing: PyTorch's steps", "depth first", "leak by a tick every step", "weights of 4 bits",
        "potentials of 10 bits", "decimator", "queues of 50",
    ]  # fmt: skip
    assert table.samples == 7
    changes = [row.change for row in table.rows]
    assert changes[0] is None
    assert sum(changes[1:]) == pytest.approx(table.rows[-1].accuracy - table.rows[0].accuracy)
    assert json.loads(json.dumps(table.to_dict()))["rows"][0]["cause"] == table.rows[0].cause
    assert str(table).count("\n") == 2 + 7 + 2  # title, headings and rule; an empty line and a note
    assert len(gap(net(), samples(), leak="step", limits=ChipLimits()).rows) == 2


@pytest.mark.parametrize("squeezed_at_the_door", [False, True])
def test_the_first_row_is_pytorch_and_the_second_the_order(squeezed_at_the_door: bool) -> None:
    model = net(squeezed_at_the_door)
    frames = torch.stack([frames for frames, _ in samples()])
    labels = torch.tensor([label for _, label in samples()])
    given = frames.flatten(0, 1) if squeezed_at_the_door else frames
    for layer in model:
        if isinstance(layer, IAFSqueeze | UnflattenTime):
            layer.batch_size = 7
    with Monitor(model) as monitor, torch.no_grad():
        outputs = model(given).reshape(7, 5, 4)
    reset_states(model)
    table = gap(
        model,
        [(frames, labels)],
        order="breadth",
        arrival="index",
        readout="count",
        limits=ChipLimits(),
    )
    first, second = table.rows[:2]
    assert first.accuracy == (outputs.sum(1).argmax(1) == labels).double().mean().item()
    assert first.synops_per_sample == pytest.approx(monitor.report().synops_per_sample)
    asynchronous = ordered(model, given, "breadth").run(frames)
    assert second.spikes_per_sample == asynchronous.spikes_per_sample().mean().item()
    assert second.synops_per_sample == asynchronous.synops_per_sample().mean().item()


def test_batches_and_numbered_samples_are_the_same_and_the_model_stays() -> None:
    model = nn.Sequential(nn.Linear(6, 5, bias=False), LIF(10.0), nn.Linear(5, 3), LIF(10.0)).eval()
    numbered = [(frames, k % 3) for k, frames in enumerate(spikes(6, 4, 6, rate=0.8))]
    batches = [
        (torch.stack([f for f, _ in part]), torch.tensor([label for _, label in part]))
        for part in (numbered[:4], numbered[4:])
    ]
    model(torch.ones(1, 2, 6))
    before = {name: x.clone() for name, x in model.state_dict().items()}
    options: dict[str, Any] = {"leak": "exponential", "limits": ChipLimits(8, 16, 16)}
    assert gap(model, iter(batches), **options) == gap(model, numbered, batch_size=4, **options)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_what_is_left_in_the_last_neurons_is_a_part_of_the_answer() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), IAF())
    model[0].weight.data = torch.tensor([[0.25, 0.5], [0.5, 0.25]])
    data = [(torch.eye(2)[:, None], torch.tensor([1, 0]))]
    none = ChipLimits()
    assert [row.accuracy for row in gap(model, data, limits=none).rows] == [1.0, 1.0, 1.0]
    assert gap(model, data, limits=none, readout="count").rows[0].accuracy == 0.5


def test_pruned_weights_are_no_synapses_if_asked() -> None:
    model = net()
    with torch.no_grad():
        model[1].weight[:, :, ::2] = 0.0
    every, present = (gap(model, samples(), weights=weights) for weights in ("all", "nonzero"))
    for one, other in zip(every.rows, present.rows, strict=True):
        assert (one.accuracy, one.spikes_per_sample) == (other.accuracy, other.spikes_per_sample)
        assert other.synops_per_sample < one.synops_per_sample
    with pytest.raises(ValueError, match="gap: weights is 'some', expected 'all' or 'nonzero'"):
        gap(model, samples(), weights="some")


def test_what_cannot_be_read_is_an_error() -> None:
    frames, labels = torch.ones(2, 3, 1, 4, 4), torch.zeros(2)
    with pytest.raises(ValueError, match=r"steps of shape \(2, 2, 2\), expected a number for each"):
        gap(
            nn.Sequential(
                FlattenTime(),
                nn.Conv2d(1, 2, 3),
                IAFSqueeze(batch_size=2),
                UnflattenTime(batch_size=2),
            ),
            [(frames, labels)],
        )
    with pytest.raises(ValueError, match="data has no samples"):
        gap(net(), [])
    with pytest.raises(ValueError, match="does not end in neurons"):
        gap(
            nn.Sequential(nn.Linear(2, 2), IAF(), nn.Linear(2, 2)),
            [(torch.ones(1, 1, 2), torch.zeros(1))],
            readout="potential",
        )
