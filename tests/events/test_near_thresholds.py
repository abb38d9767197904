"""Weights of any value: sums are taken in another order, so a spike may differ where a potential comes near its threshold.

The margin is stated, and every difference is looked up: there is none elsewhere.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import picojoule
from benchmarks.near_thresholds import differences
from picojoule import events, layers
from picojoule.data import load_images, rate_code
from tests.events.test_patterns import take_patterns

ROUNDINGS = 1  # of float32, relative to all that arrived so far, of either sign
STEPS = 20


def lenet(batch: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, bias=False), layers.IAFSqueeze(batch_size=batch), layers.SumPool2d(2),
        nn.Conv2d(16, 32, 5, bias=False), layers.IAFSqueeze(batch_size=batch), layers.SumPool2d(2),
        nn.Conv2d(32, 120, 4, bias=False), layers.IAFSqueeze(batch_size=batch), nn.Flatten(),
        nn.Linear(120, 10, bias=False), layers.IAFSqueeze(batch_size=batch),
    )  # fmt: skip


def bundled_spikes(images: int) -> Tensor:
    """Test images of the wheel as spikes, `(b t) 1 28 28`."""
    pictures = load_images().test.images[:images]
    return rate_code(pictures, STEPS, generator=torch.Generator().manual_seed(0)).flatten(0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_spikes_differ_only_near_a_threshold(seed: int) -> None:
    torch.manual_seed(seed)
    batch = 20
    model, x = lenet(batch), bundled_spikes(batch)
    with torch.no_grad():
        for part in model:
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.weight.mul_(3)
    for k in (0, 3, 6, 9):
        pair = nn.Sequential(model[k], model[k + 1])
        assert all(distance <= ROUNDINGS for distance in differences(pair, x, batch).distances)
        with torch.no_grad():
            picojoule.reset_states(model)
            x = pair(x)
            x = model[k + 2](x) if k < 8 else x


@pytest.mark.parametrize("seed", range(3))
def test_spikes_by_sums_of_patterns_differ_only_near_a_threshold(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(seed)
    batch = 20
    model, x = lenet(batch), bundled_spikes(batch)
    with torch.no_grad():
        model[0].weight.mul_(3)
    take_patterns(monkeypatch)
    pair = nn.Sequential(model[0], model[1])
    distances = differences(pair, x, batch, "where quicker").distances
    assert all(distance <= ROUNDINGS for distance in distances)


def test_quantised_weights_give_equal_spikes_through_all_layers() -> None:
    batch = 20
    model, x = lenet(batch), bundled_spikes(batch)
    with torch.no_grad():
        for part in model:
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.weight.copy_((part.weight * 3 * 256).round() / 256)
        expected = model(x)
    assert expected.sum() > 100
    assert torch.equal(events.compile(model, x)(x), expected)
