"""Several Monitors of one model, or of a part of it: each counts what it counts alone."""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor, reset_states
from picojoule.layers import IAF
from picojoule.synops import MonitorWarning, Synapses, fixed
from tests.synops.random_models.generate import random_model
from tests.synops.test_watching_again import PASSES, STEPS, Loop, numbers, same, steps_of

FAST, ALL = 20, 300
PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"weights": "nonzero"}, {}),
    ({"conventions": True, "weights": "nonzero"}, {"inputs": "dense"}),
    ({"convention": "sinabs"}, {"witness": "always"}),
    ({"detail": ["sample", "channel"]}, {"weights": "nonzero", "inputs": "spikes"}),
]


@pytest.mark.parametrize("others", [{}, {"weights": "nonzero"}, {"conventions": True}])
@pytest.mark.parametrize("first", [True, False])
def test_a_monitor_does_not_count_what_another_computes(
    others: dict[str, Any], first: bool
) -> None:
    """30 spikes that reach 4 neurons each, of 2 samples; the other one's masks and means are no model."""
    model, x = nn.Sequential(nn.Linear(3, 4, bias=False)), torch.ones(2, 5, 3)
    nn.init.ones_(model[0].weight)
    options = [others, {}] if first else [{}, others]
    monitors = [Monitor(model, time_axis="bt", **each).attach() for each in options]
    for _ in range(3):
        with torch.no_grad():
            model(x)
        for monitor in monitors:
            assert monitor.synops.per_sample.items() == {"0": torch.tensor(60.0)}.items()
            assert monitor.macs.total.item() == 0


def test_the_fan_out_of_a_convolution_is_no_convolution_of_the_model() -> None:
    """6 places, 3 channels, kernels of 2 x 3: 108 products."""
    model = nn.Sequential(nn.Conv1d(2, 3, 3))
    monitors = [Monitor(model).attach() for _ in range(3)]
    with torch.no_grad():
        model(torch.ones(2, 2, 8))
    for monitor in monitors:
        assert list(monitor.synops) == ["0"]
        assert monitor.dense.total.item() == 108


class Getters(nn.Module):
    """Attributes that give tensors, which Monitors ask for, too."""

    def __init__(self) -> None:
        super().__init__()
        self.spike, self.fc = IAF(), nn.Linear(4, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.spike(x)
        part, values = spikes[..., :], spikes.sin()
        return self.fc(part) + self.fc(part.mT.mT.data) + self.fc(values[..., :].mT.mT)


def test_what_a_monitor_asks_of_a_tensor_tells_another_nothing() -> None:
    """2 samples of 3 steps, 4 neurons that fire in each step: 24 spikes, each at 2 synapses, twice; and as many values."""
    model = Getters()
    monitors = [Monitor(model, **each).attach() for each in ({}, {"weights": "nonzero"}, {})]
    for _ in range(2):
        reset_states(model)
        model(torch.ones(2, 3, 4))
        assert [m.synops.per_sample.total.item() for m in monitors] == [48.0] * 3
        assert [m.macs.per_sample.total.item() for m in monitors] == [24.0] * 3


def test_a_model_and_a_part_of_it() -> None:
    """3 spikes a sample reach 4 neurons each; the 4 values that these give are multiplied by 2 weights each."""

    def of_the_part(part: nn.Module, x: Tensor) -> list[Synapses]:
        return [fixed(x, torch.ones(4) @ torch.ones(4), leading=1)]

    part = nn.Linear(3, 4, bias=False)
    model = nn.Sequential(nn.Sequential(part), nn.Linear(4, 2, bias=False))
    whole = Monitor(model, samples=5, num_timesteps=1).attach()
    inside = Monitor(model[0], formulas={nn.Linear: of_the_part}, samples=5, num_timesteps=1)
    x = torch.ones(5, 3)
    for _ in range(2):
        with inside:
            model(x)
        counts = whole.synops.per_sample["0.0"], whole.macs.per_sample["1"]
        assert [each.item() for each in counts] == [12.0, 8.0]
        assert list(whole.dense) == ["0.0", "1"]
        assert inside.synops.per_sample.total.item() == 12.0


def test_a_call_that_is_watched_from_outside() -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False))
    inner, outer = Monitor(model, weights="nonzero", accumulate=True).attach(), Monitor(model)
    nn.init.ones_(model[0].weight)
    for _ in range(2):
        outer.call(lambda x: [model(x), model(x)], torch.ones(5, 3))
    assert inner.synops.per_sample.total.item() == 12
    assert list(outer.dense) == ["0"]
    assert outer.dense.per_sample.total.item() == 24


def counted(loop: Loop, passes: list[list[list[Tensor]]], *options: dict[str, Any]) -> list[Any]:
    """What each Monitor, with its options, enters in each pass."""
    monitors = [Monitor(loop, num_timesteps=STEPS, samples=2, **each).attach() for each in options]
    found: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MonitorWarning)
        for number, steps in enumerate(passes):
            reset_states(loop)
            torch.manual_seed(number)
            loop(*steps)
            found.append([numbers(monitor) for monitor in monitors])
    for monitor in monitors:
        monitor.detach()
    return [list(each) for each in zip(*found, strict=True)]


def differences(seed: int) -> list[str]:
    draft, model = random_model(seed)
    passes = [steps_of(draft.inputs, number) for number in range(PASSES)]
    options = PAIRS[seed % len(PAIRS)]
    with torch.set_grad_enabled(seed % 3 > 0):
        alone = [counted(Loop(copy.deepcopy(model)), passes, each)[0] for each in options]
        together = counted(Loop(model), passes, *options)
    return [
        f"Monitor {who}, pass {number}, {name}: {one.get(name)} alone, {other.get(name)}"
        for who, (own, both) in enumerate(zip(alone, together, strict=True))
        for number, (one, other) in enumerate(zip(own, both, strict=True))
        for name in one.keys() | other.keys()
        if not same(one.get(name), other.get(name))
    ]


@pytest.mark.filterwarnings("ignore:(?!Monitor)")
@pytest.mark.parametrize("seed", range(FAST))
def test_two_monitors_count_what_each_counts_alone(seed: int) -> None:
    assert not differences(seed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(?!Monitor)")
@pytest.mark.parametrize("first", range(FAST, ALL, 20))
def test_in_many_more_models(first: int) -> None:
    wrong = {seed: differences(seed) for seed in range(first, first + 20)}
    assert not {seed: lines for seed, lines in wrong.items() if lines}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated")
def test_modes_are_left_in_the_order_in_which_they_were_entered() -> None:
    """Of a script each Monitor has a mode of its own, which PyTorch has to be told the end of."""
    from torch.utils import _python_dispatch

    model = nn.Sequential(nn.Linear(3, 4), torch.jit.script(nn.Linear(4, 2)), nn.Linear(2, 2))
    monitors = [Monitor(model).attach() for _ in range(2)]
    for _ in range(2):
        model(torch.ones(5, 3))
    assert [m.macs.per_sample.total.item() for m in monitors] == [4 * 2 + 2 * 2] * 2
    assert not _python_dispatch.is_in_torch_dispatch_mode()
    assert not torch._C._len_torch_dispatch_stack()
    assert not torch._C._len_torch_function_stack()
