"""Spikes count as the spikes they were, whatever they went through."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor
from picojoule.layers import (
    IAF,
    FlattenTime,
    IAFSqueeze,
    SpikingMaxPooling2dLayer,
    SumPool2d,
    UnflattenTime,
)
from tests.synops.brute_force import impulse_count
from tests.synops.networks import T, lenet, spikes

FOLLOWED: list[tuple[Any, float]] = [
    (lambda s: s / 4, 1.0),
    (lambda s: F.avg_pool2d(s, 2), 1.0),
    (lambda s: F.avg_pool2d(s, 4, stride=4, padding=1, count_include_pad=False), 1.0),
    (lambda s: F.avg_pool2d(s, 4, ceil_mode=True), 1.0),
    (lambda s: F.adaptive_avg_pool2d(s, 4), 1.5 * 1.5 + 0 * 1),
    (lambda s: s.mean((2, 3), keepdim=True), 1.0),
    (lambda s: F.lp_pool2d(s, 1, 2), 1.0),
    (lambda s: torch.cat([s, s], 1)[:, :2] * -0.3, 1.0),
    (lambda s: s + s, 2.0),
    (lambda s: F.pad(s, (1, 1, 1, 1), mode="circular")[..., 1:-1, 1:-1], 1.0),
    (lambda s: torch.stack(s.unbind(1), 1).permute(0, 1, 3, 2), 1.0),
    (lambda s: F.dropout(s, 0.5, training=False), 1.0),
    (lambda s: s * torch.tensor(0.7), 1.0),
    (lambda s: F.interpolate(s, scale_factor=2), 4.0),
    (lambda s: s.clone().mul_(0.3).relu_().div_(7), 1.0),
    (lambda s: F.dropout(s.clone(), 0.5, False, True).add_(s).neg_(), 2.0),
    (lambda s: torch.zeros(4, 2, 6, 6).index_add_(0, torch.tensor([1, 3]), s / 3), 1.0),
    (lambda s: torch.cat([s[:, :1] / 3, s[:, 1:] / 5], 1).flatten(1), 1.0),
    (lambda s: torch.where(s > 1, s - 1, torch.zeros(())) + s.clamp(max=1), 1.0),
]


class Follow(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.spike, self.function = IAFSqueeze(num_timesteps=1), function
        self.weight = nn.Parameter(torch.rand(3, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.function(self.spike(x))
        return y.flatten().unsqueeze(-1) @ self.weight.t()


@pytest.mark.parametrize(("function", "copies"), FOLLOWED)
def test_spikes_count_as_the_spikes_they_were(function: Any, copies: float) -> None:
    x = torch.randint(0, 4, (2, 2, 6, 6)).float()
    model = Follow(function)
    if (
        copies == 1.5 * 1.5
    ):  # windows of 2, 2, 2, 2 out of 6 overlap; count each window that holds it
        reached = torch.zeros(6)
        for i in range(4):
            reached[i * 6 // 4 : -(-(i + 1) * 6 // 4)] += 1
        expected = (x * reached[:, None] * reached).sum() * 3
    else:
        expected = x.sum() * copies * 3
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == pytest.approx(expected.item(), rel=1e-5)
    assert monitor.macs.total.item() == 0


COARSE: dict[str, Any] = {
    "windows of nine": lambda s: F.avg_pool2d(s, 3),
    "windows that differ": lambda s: F.avg_pool2d(s, 5, ceil_mode=True),
    "the whole image": lambda s: s.mean((2, 3)),
    "a number": lambda s: s * 0.3,
    "a scale that is learned": lambda s: s * torch.full((1,), 0.3, dtype=s.dtype, requires_grad=True),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", COARSE)
def test_what_few_bits_round_is_as_many_spikes(name: str, dtype: torch.dtype) -> None:
    """Three spikes in a window of nine are 0.3333 in bfloat16, of ninths that are 0.1113."""
    model = Follow(lambda s: COARSE[name](s.to(dtype))).to(dtype)
    x = torch.randint(0, 4, (2, 2, 6, 6)).float()
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == x.sum().item() * 3
    assert monitor.macs.total.item() == 0


def test_counts_of_few_bits_have_the_gradient_of_what_was_not_rounded() -> None:
    x = torch.randint(0, 4, (2, 2, 6, 6)).to(torch.bfloat16).requires_grad_()
    model = Follow(lambda s: F.avg_pool2d(s, 3)).to(torch.bfloat16)
    model.spike = nn.Identity()
    with Monitor(model, inputs="spikes", num_timesteps=1) as monitor:
        model(x)
    (slope,) = torch.autograd.grad(monitor.synops.per_sample.total * 2, x)
    assert slope.float().tolist() == torch.full(x.shape, 3.0).tolist()


def test_spikes_that_meet_a_state_of_zeros_meet_nothing() -> None:
    """Fast weights, and linear attention step by step: they begin with nothing, and spikes meet what came before."""

    class FastWeights(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spike = IAF()

        def forward(self, x: Tensor) -> Tensor:
            learned, recalled = torch.zeros(2, 6, 6), torch.zeros(2, 1, 6)
            for now in self.spike(x).unbind(1):
                recalled = recalled + now[:, None] @ learned
                learned = learned + now[:, :, None] * now[:, None]
            return recalled

    x = spikes(2, 4, 6)
    expected = 0.0
    for sample in x:
        learned = torch.zeros(6, 6)
        for now in sample:
            pairs = now[:, None] * now
            expected += (now @ learned).sum().item() + pairs.sum().item()
            learned += pairs
    with Monitor(FastWeights()) as monitor:
        monitor.model(x)
    assert monitor.synops.per_sample.total.item() * 2 == expected
    assert monitor.macs.total.item() == 0


def test_dropped_spikes_are_not_counted_and_the_others_once() -> None:
    x = torch.randint(1, 4, (2, 2, 6, 6)).float()
    kept: list[Tensor] = []

    def drop(s: Tensor) -> Tensor:
        kept.append(F.dropout(s, 0.75, training=True))
        return kept[-1]

    model = Follow(drop)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == (kept[0] / 4).sum().item() * 3


@pytest.mark.parametrize("function", [nn.BatchNorm2d(2), torch.sigmoid, lambda s: s + 0.5])
def test_what_is_no_longer_spikes_is_dense(function: Any) -> None:
    model = Follow(function)
    with Monitor(model) as monitor:
        model(torch.randint(0, 4, (2, 2, 6, 6)).float())
    assert monitor.synops.total.item() == 0
    assert monitor.macs.total.item() == 2 * 36 * 3


def test_values_changed_in_place_are_judged_anew() -> None:
    def in_place(s: Tensor) -> Tensor:
        y = s.clone()
        y[:, 0].mul_(0.3)
        return y

    model = Follow(in_place)
    with Monitor(model) as monitor:
        model(torch.randint(0, 4, (2, 2, 6, 6)).float())
    assert monitor.macs.total.item() == 2 * 36 * 3


def test_a_buffer_filled_with_spikes_is_spikes() -> None:
    def fill(s: Tensor) -> Tensor:
        y = torch.zeros(len(s), 3, 6, 6)
        for i in range(len(s)):
            y[i, :2] = s[i] / 3
        return y

    x = torch.randint(0, 4, (2, 2, 6, 6)).float()
    model = Follow(fill)
    with Monitor(model) as monitor:
        model(x)
    assert monitor.synops.per_sample.total.item() * 2 == pytest.approx(x.sum().item() * 3)


def test_pruned_weights_are_no_synapses() -> None:
    model, x = lenet(), spikes(T, 1, 14, 14)
    arrived: dict[str, Tensor] = {}
    with torch.no_grad():
        model[1].spike_threshold.fill_(0.1)  # so that spikes arrive at the second convolution
        for name in ("0", "3"):
            layer = model.get_submodule(name)
            layer.weight.mul_(torch.rand_like(layer.weight) < 0.5)
            layer.register_forward_pre_hook(
                lambda _, args, name=name: arrived.update({name: args[0]})
            )
    with Monitor(model, weights="nonzero") as monitor:
        model(x)
    for name in ("0", "3"):
        layer, counted = model.get_submodule(name), monitor.synops.per_sample[name].item()
        assert counted == impulse_count(layer, arrived[name], nonzero=True), name
        assert 0 < counted < impulse_count(layer, arrived[name], nonzero=False), name


def test_spiking_max_pooling_keeps_the_unit() -> None:
    model = nn.Sequential(
        nn.Unflatten(1, (T, 1)),
        IAF(),
        SpikingMaxPooling2dLayer(2),
        FlattenTime(),
        nn.Flatten(),
        nn.Linear(9, 2),
        UnflattenTime(2),
    )
    seen: list[Tensor] = []
    model[5].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with Monitor(model) as monitor:
        model(spikes(2, T, 6, 6))
    assert monitor.synops.per_sample["5"] * 2 == seen[0].sum() * 2


def test_what_passes_spikes_on_does_so_by_keyword_too() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.most = SumPool2d(2), SpikingMaxPooling2dLayer(2)
            self.sums, self.first = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:  # b t c h w
            halves = x / 2
            pooled = self.pool(data=halves.flatten(0, 1)).flatten(1)
            return self.sums(pooled) + self.first(self.most(data=halves).flatten(0, 1).flatten(1))

    model = ByName()
    with Monitor(model) as monitor, torch.no_grad():
        for _ in range(3):
            model.most.reset_states()
            model(torch.ones(2, 5, 1, 4, 4))
            # of 16 spikes a step, all are summed, and the first of each window of 4 goes through
            assert monitor.synops.per_sample["sums"].item() == 5 * 16 * 3
            assert monitor.synops.per_sample["first"].item() == 5 * 4 * 3
            assert monitor.macs.total.item() == 0
