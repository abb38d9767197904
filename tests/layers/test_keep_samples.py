"""Samples that are kept go on as they would have; the states of the others are gone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from picojoule.layers import IAF, UnflattenTime, keep_samples
from tests.conftest import NEURONS, Neuron


@pytest.mark.parametrize("neuron", NEURONS, ids=str)
def test_the_samples_that_are_left_go_on(neuron: Neuron) -> None:
    one, other = neuron.build(), neuron.build()
    other.load_state_dict(one.state_dict())
    data, kept = 2 * torch.rand(5, 6, 3), torch.tensor([True, False, False, True, True])
    whole = neuron.run(one, data)[kept]
    neuron.run(other, data[:, :2])
    keep_samples(other, kept)
    assert other.shape == (3, 3)
    torch.testing.assert_close(neuron.run(other, data[kept, 2:]), whole[:, 2:])


def test_squeezing_layers_are_told_and_layers_without_states_stay() -> None:
    model = nn.Sequential(IAF(), UnflattenTime(batch_size=5))
    keep_samples(model, torch.tensor([True, False, True, False, False]))
    assert model[0].shape is None
    assert model[1].batch_size == 2


@pytest.mark.parametrize(
    ("kept", "error", "message"),
    [
        (torch.tensor([0, 1]), TypeError, r"kept is torch\.int64 of shape \(2,\), expected bool"),
        (torch.ones(2, 2, dtype=torch.bool), TypeError, r"of shape \(2, 2\)"),
        (torch.zeros(2, dtype=torch.bool), ValueError, "no sample is kept"),
        (torch.ones(4, dtype=torch.bool), ValueError, r"layer '1' \(IAF\) has states of 3 samples, kept tells of 4"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_and_nothing_is_changed(
    kept: torch.Tensor, error: type[Exception], message: str
) -> None:
    model = nn.Sequential(IAF(), IAF())
    model[0](torch.rand(4, 2, 1))
    model[1](torch.rand(3, 2, 1))
    with pytest.raises(error, match=message):
        keep_samples(model, kept)
    assert (model[0].shape, model[1].shape) == ((4, 1), (3, 1))
