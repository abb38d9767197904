"""Whole models under the Monitor, against counts by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import picojoule
from picojoule import Monitor
from picojoule.layers import IAFRecurrent, IAFSqueeze, Merge
from tests.synops.brute_force import impulse_count
from tests.synops.networks import T, spikes


class Block(nn.Module):
    """A spiking residual block."""

    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.constant_(self.norm.weight, 2.0)
        self.spike = IAFSqueeze(num_timesteps=T)
        self.short = nn.Conv2d(width, width, 1, stride, bias=False)
        self.short_spike = IAFSqueeze(num_timesteps=T)
        self.merge = Merge()

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(self.spike(self.norm(self.conv(x))), self.short_spike(self.short(x)))


def test_a_spiking_resnet() -> None:
    model = nn.Sequential(
        Block(2), Block(2, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)
    )
    inputs: dict[str, Tensor] = {}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, args, name=name: inputs.__setitem__(name, args[0])
            )
    pooled: list[Tensor] = []
    model[2].register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    with Monitor(model) as monitor:
        model(3 * spikes(2 * T, 2, 7, 7))
    assert set(monitor.synops) == {*inputs, "4"}
    for name, x in inputs.items():
        expected = impulse_count(model.get_submodule(name), x, False)
        assert monitor.synops.per_sample[name] * 2 == expected, name
    assert (inputs["1.conv"] == 2).any()  # merged branches: graded spikes
    assert monitor.synops.per_sample["4"].item() * 2 == pytest.approx(3 * pooled[0].sum().item())
    assert monitor.macs.total.item() == 0


class SpikingAttention(nn.Module):
    """As in Spikformer: queries, keys and values are spikes, and there is no softmax."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.spikes = nn.ModuleList(
            IAFSqueeze(num_timesteps=T, spike_threshold=0.2) for _ in range(4)
        )
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(w(x)) for f, w in zip(self.spikes, (self.q, self.k, self.v), strict=False))
        self.seen = q, k, v
        attention = (q @ k.transpose(-2, -1)) * 0.125
        y = self.spikes[3](attention @ v)
        self.seen += (y,)
        return self.out(y)


def test_a_spikformer_block() -> None:
    model, x = SpikingAttention(6), spikes(2 * T, 4, 6)
    with Monitor(model) as monitor:
        model(x)
    q, k, v, y = model.seen
    expected = {
        "q": x.sum() * 6,
        "k": x.sum() * 6,
        "v": x.sum() * 6,
        "matmul#0": (q @ k.mT).sum(),
        "matmul#1": v.sum() * 4,
        "out": y.sum() * 6,
    }
    assert {n: c.item() * 2 for n, c in monitor.synops.per_sample.items()} == {
        name: pytest.approx(count.item()) for name, count in expected.items()
    }
    assert q.sum() > 0
    assert v.sum() > 0


def test_a_recurrent_network_counts_its_feedback() -> None:
    layer = IAFRecurrent(nn.Sequential(nn.Flatten(), nn.Linear(4, 4, bias=False)))
    model, x = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2)), 2 * spikes(2, T, 3)
    with Monitor(model) as monitor:
        model(x)
    hidden: list[Tensor] = []
    model[2].register_forward_pre_hook(lambda _, args: hidden.append(args[0]))
    picojoule.reset_states(model)
    model(x)
    made = hidden[0]
    assert made.sum() > 0
    expected = {
        "0": x.sum() * 4,
        "1.rec_connect.1": made.sum() * 4,  # the last step's is kept for the next call
        "2": made.sum() * 2,
    }
    measured = {name: count.item() * 2 for name, count in monitor.synops.per_sample.items()}
    assert measured == {name: pytest.approx(count.item()) for name, count in expected.items()}


class Functional(nn.Module):
    """Nothing but functions, in a loop over time."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.rand(6, 3))
        self.u = nn.Parameter(torch.rand(2, 6))
        self.k = nn.Parameter(torch.rand(1, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        out, v = [], torch.zeros(len(x), 6)
        for t in range(x.shape[1]):
            v = 0.9 * v + F.linear(x[:, t], self.w)
            s = (v > 1).float()
            v = v - s
            wide = F.conv1d(s.unsqueeze(1), self.k).flatten(1)
            out.append(
                torch.einsum("bi,oi->bo", s, self.u) + (x[:, t] @ self.w.t())[:, :2] + wide[:, :2]
            )
        return torch.stack(out, 1)


def test_a_functional_model_in_a_loop() -> None:
    model, x = Functional(), spikes(2, T, 3)
    with Monitor(model, time_axis="bt") as monitor:
        model(x)
    assert list(monitor.synops) == ["linear#0", "conv1d#0", "einsum#0", "matmul#0"]
    measured = {name: count.item() * 2 for name, count in monitor.synops.per_sample.items()}
    assert measured["linear#0"] == x.sum() * 6 == measured["matmul#0"]
    assert monitor.macs.total.item() == 0
    with torch.no_grad():
        v, count, pairs = torch.zeros(2, 6), 0.0, 0.0
        for t in range(T):
            v = 0.9 * v + F.linear(x[:, t], model.w)
            s = (v > 1).float()
            v = v - s
            count += s.sum() * 2
            pairs += s.sum() * 2 - s[:, 0].sum() - s[:, -1].sum()
    assert measured["einsum#0"] == pytest.approx(count.item())
    assert measured["conv1d#0"] == pytest.approx(pairs.item())
