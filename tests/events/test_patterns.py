"""Sums of patterns of spikes: which layers have them, and what they add up."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import Tensor, nn

from picojoule import events, layers
from picojoule.events.axes import Tap
from picojoule.events.break_even import crossing
from picojoule.events.engine import Engine
from picojoule.events.following import follow
from picojoule.events.network import EventNetwork
from picojoule.events.patterns import patterns_of
from picojoule.events.plan import plan_stage
from tests.events.networks import BATCH, STEPS, iaf, on_grid, spikes

HAVE: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "one channel": (nn.Conv2d(1, 16, 5), (1, 12, 12)),
    "four channels": (nn.Conv2d(4, 7, 3, padding=1), (4, 6, 5)),
    "a stride": (nn.Conv2d(2, 8, 3, stride=2), (2, 9, 9)),
    "a dilation": (nn.Conv2d(2, 8, 3, dilation=3), (2, 9, 9)),
    "a transposed one": (nn.ConvTranspose2d(2, 8, 4, stride=2), (2, 5, 5)),
    "one axis": (nn.Conv1d(3, 20, 9, padding=4), (3, 30)),
    "three axes": (nn.Conv3d(1, 5, (2, 3, 2)), (1, 4, 5, 6)),
    "a border in front": (nn.Sequential(nn.ZeroPad2d(2), nn.Conv2d(1, 8, 5)), (1, 8, 8)),
}
HAVE_NOT: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "many channels": (nn.Conv2d(5, 8, 3), (5, 6, 6)),
    "groups": (nn.Conv2d(2, 8, 3, groups=2), (2, 6, 6)),
    "a pooling in front, where two spikes are in one place": (
        nn.Sequential(layers.SumPool2d(2), nn.Conv2d(1, 8, 3)),
        (1, 8, 8),
    ),
    "one spike at a time": (nn.Conv2d(1, 8, 1), (1, 6, 6)),
    "too many sums for the cache": (nn.Conv2d(4, 256, 5), (4, 6, 6)),
    "a Linear": (nn.Sequential(nn.Flatten(), nn.Linear(36, 8)), (1, 6, 6)),
}


def has_patterns(layer: nn.Module, shape: tuple[int, ...]) -> bool:
    sample = torch.zeros(BATCH * STEPS, *shape)
    graph = follow(nn.Sequential(layer, iaf()), sample)
    return plan_stage(graph, 0).edges[0].synapses.patterns is not None


@pytest.mark.parametrize("what", HAVE)
def test_layers_with_few_input_channels_have_them(what: str) -> None:
    assert has_patterns(*HAVE[what])


@pytest.mark.parametrize("what", HAVE_NOT)
def test_other_layers_have_none(what: str) -> None:
    assert not has_patterns(*HAVE_NOT[what])


def test_a_sum_is_that_of_the_weights_whose_bits_are_set() -> None:
    weights = torch.arange(1.0, 13.0).reshape(2, 1, 3, 2).numpy()  # channels, taps, places, width
    inner = [[Tap(2, 0)], [Tap(1, 0), Tap(2, 1)], [Tap(0, 0), Tap(1, 1)], [Tap(0, 1)]]
    found = patterns_of([[Tap(0, 0)]], inner, weights, rows=1, outputs=2)
    assert found is not None
    assert (found.pieces, found.num_codes, found.sums.shape) == (1, 3, (1, 1, 64, 8))
    by_bit = weights.transpose(1, 2, 0, 3).reshape(6, 2)
    for pattern in range(64):
        expected = sum((by_bit[k] for k in range(6) if pattern >> k & 1), 0 * by_bit[0])
        assert found.sums[0, 0, pattern].tolist() == [*expected.tolist(), *[0.0] * 6]


@pytest.mark.parametrize("rate", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("what", HAVE)
def test_ones_counts_and_values_give_the_models_spikes(
    what: str, rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer, shape = HAVE[what]
    model = on_grid(nn.Sequential(layer, iaf(min_v_mem=-1.0)))
    x = spikes(BATCH * STEPS, *shape, rate=rate)
    x[0] = x[0] * 0.25 - 0.5  # no spikes at all in one step
    x[1] = (x[1] > 0).float()  # nothing but ones in another
    made = by_patterns(model, x, monkeypatch)
    with torch.no_grad():
        assert torch.equal(made(x), model(x))
        assert torch.equal(made(x), model(x))  # goes on from the states
        assert bool(model(x).any())


def test_the_plan_says_from_how_many_spikes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, shape = HAVE["one channel"]
    x = spikes(BATCH * STEPS, *shape)
    made = by_patterns(nn.Sequential(layer, iaf()), x, monkeypatch, fewest=12)
    assert "patterns" not in made.plan  # nothing has run yet
    made(x)
    assert "0: rows; sums of patterns from 12 spikes of a step on" in made.plan


def by_patterns(
    model: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch, fewest: int = 0
) -> EventNetwork:
    take_patterns(monkeypatch, fewest)
    return events.compile(model, x)


def take_patterns(monkeypatch: pytest.MonkeyPatch, fewest: int = 0) -> None:
    """From so many spikes of a step on, and no dense product."""

    def set_limits(engine: Engine) -> None:
        engine.limits.fill_(inf)
        engine.limits_of_frames.fill(inf)
        engine.patterns_from.fill_(fewest)

    monkeypatch.setattr("picojoule.events.network.set_limits", set_limits)


@pytest.mark.parametrize(
    ("left_s", "synops"),
    [(-1.0, 0.0), (0.5, 5.0), (1.0, 10.0), (1.5, 15.0), (2.0, 20.0), (2.5, 30.0), (9.0, 160.0)],
)
def test_a_break_even_lies_on_the_line_through_what_was_measured(
    left_s: float, synops: float
) -> None:
    assert crossing([(10.0, 1.0), (20.0, 2.0), (40.0, 3.0)], left_s) == pytest.approx(synops)
