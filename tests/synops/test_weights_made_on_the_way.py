"""Weights that are drawn, noisy or multiplied by numbers when they meet spikes: each spike arrives at each of them once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops.watch.checks import MonitorWarning
from tests.synops.passes import each_pass

IN, OUT = 8, 6
Made = Callable[[Any], Tensor]
Met = Callable[[Tensor, Tensor], Tensor]


class Synapses(nn.Module):
    """Spikes meet weights that are made of a parameter, or of a buffer, in each call."""

    def __init__(self, made: Made, met: Met, trained: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        values = {"w": torch.randn(IN, OUT), "p": torch.rand(IN, OUT)}
        self.made, self.met = made, met
        for name in {*made.__code__.co_names} & {*values}:
            if trained:
                setattr(self, name, nn.Parameter(values[name]))
            else:
                self.register_buffer(name, values[name])

    def forward(self, x: Tensor) -> Tensor:
        return self.met(x, self.made(self))


def counted(model: nn.Module, x: Tensor, **options: Any) -> list[tuple[float, float]]:
    """SynOps and MACs of three passes, with nothing in doubt."""
    return each_pass(model, x, x, x, doubts="error", **options)


def spikes(batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    x = (torch.rand(batch, IN, generator=generator) < 0.5).float()
    x[0, 0] = 1
    return x


MET: dict[str, Met] = {
    "matmul": lambda x, w: x @ w,
    "linear": lambda x, w: F.linear(x, w.t()),
    "einsum": lambda x, w: torch.einsum("bi,io->bo", x, w),
    "broadcast": lambda x, w: (x[:, :, None] * w).sum(1),
    "a sample at a time": lambda x, w: torch.stack([(row[:, None] * w).sum(0) for row in x]),
}

DRAWN: dict[str, Made] = {
    "bernoulli": lambda m: torch.bernoulli(m.p.sigmoid()),
    "bernoulli of a distribution": lambda m: torch.distributions.Bernoulli(logits=m.p).sample(),
    "bernoulli_": lambda m: torch.empty(IN, OUT).bernoulli_(m.p.sigmoid()),
    "rand <": lambda m: (torch.rand_like(m.p) < m.p.sigmoid()).float(),
    "of two signs": lambda m: torch.bernoulli(m.p.sigmoid()) * 2 - 1,
    "poisson": lambda m: torch.poisson(m.p.abs() + 1),
    "normal": lambda m: torch.normal(m.w, 0.1),
    "normal with learned widths": lambda m: torch.normal(m.w, m.p.exp()),
    "times weights": lambda m: m.w * torch.bernoulli(m.p.sigmoid()),
    "times weights, by channel": lambda m: m.w * torch.bernoulli(m.p[:, 0].sigmoid())[:, None],
}
NOISY: dict[str, Made] = {
    "noise added": lambda m: m.w + 0.1 * torch.randn_like(m.w),
    "noise added in place": lambda m: m.w.clone().add_(torch.randn(IN, OUT)),
    "noise subtracted": lambda m: torch.rand(IN, OUT) - m.w,
    "clamped": lambda m: torch.clamp(m.w + 0.1 * torch.randn(IN, OUT), -1, 1),
    "exponential": lambda m: torch.exp(m.w + torch.randn(IN, OUT)),
    "divided": lambda m: m.w / (1 + torch.rand(IN, OUT)),
    "rounded": lambda m: torch.round(m.w * 10 + torch.rand(IN, OUT)),
    "chosen": lambda m: torch.where(torch.rand(IN, OUT) < 0.5, m.w + torch.randn(IN, OUT), m.w),
    "stacked": lambda m: torch.stack([m.w[0] + torch.randn(OUT)] * IN),
    "written": lambda m: _written(m.w + torch.randn(IN, OUT)),
    "multiplied twice": lambda m: (m.w + torch.randn(IN, OUT)) * m.w,
}


def _written(w: Tensor) -> Tensor:
    held = torch.zeros(IN, OUT)
    held[:] = w
    return held


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("met", MET)
@pytest.mark.parametrize("made", [*DRAWN, *NOISY])
def test_each_spike_meets_each_weight_that_is_drawn_or_noisy(
    made: str, met: str, batch: int
) -> None:
    x = spikes(batch)
    model = Synapses((DRAWN | NOISY)[made], MET[met])
    assert counted(model, x) == [(float(x.sum()) * OUT, 0)] * 3


@pytest.mark.parametrize("made", [*DRAWN, *NOISY])
def test_they_may_come_from_a_buffer(made: str) -> None:
    x = spikes(4)
    model = Synapses((DRAWN | NOISY)[made], MET["matmul"], trained=False)
    assert counted(model, x) == [(float(x.sum()) * OUT, 0)] * 3


@pytest.mark.parametrize("made", ["noise added", "normal", "of two signs", "divided", "clamped"])
def test_each_spike_meets_its_one_noisy_weight(made: str) -> None:
    x = spikes(4)
    model = Synapses((DRAWN | NOISY)[made], lambda x, w: x * w[:, 0])
    assert counted(model, x) == [(float(x.sum()), 0)] * 3


def test_dense_values_meet_noisy_weights_as_multiplications() -> None:
    x = torch.rand(4, IN)
    for met in MET.values():
        assert counted(Synapses(NOISY["noise added"], met), x) == [(0, 4 * IN * OUT)] * 3


def test_pruned_weights_with_noise_are_those_that_are_left() -> None:
    def made(m: Any) -> Tensor:
        kept = torch.ones(IN, OUT)
        kept[:, 0] = 0
        return kept * (m.w + 0.1 * torch.randn(IN, OUT))

    x = spikes(4)
    for met in (MET["matmul"], MET["broadcast"]):
        found = counted(Synapses(made, met), x, weights="nonzero")
        assert found == [(float(x.sum()) * (OUT - 1), 0)] * 3


def test_a_spike_picks_rows_of_noisy_weights() -> None:
    x = spikes(4)
    model = Synapses(
        NOISY["noise added"],
        lambda x, w: torch.stack([w[row.nonzero()[:, 0]].sum(0) for row in x]),
    )
    assert counted(model, x) == [(float(x.sum()) * OUT, 0)] * 3


def test_a_learned_dropout_of_spikes_is_a_mask() -> None:
    def met(x: Tensor, p: Tensor) -> Tensor:
        return (x * torch.bernoulli(p[:, 0])) @ p

    torch.manual_seed(1)
    x = torch.ones(2, IN)
    model = Synapses(lambda m: (20 * m.p - 10).sigmoid().round().detach() + 0 * m.p, met)
    left = model.made(model)[:, 0].detach().sum()
    assert 0 < left < IN
    assert counted(model, x) == [(float(left) * 2 * OUT, 0)] * 3


@pytest.mark.parametrize("drawn", [True, False])
def test_spikes_that_chance_makes_at_a_learned_rate_are_spikes(drawn: bool) -> None:
    class Background(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rate, self.w = nn.Parameter(torch.zeros(IN)), nn.Parameter(torch.randn(IN, OUT))

        def forward(self, x: Tensor) -> Tensor:
            rate = self.rate.sigmoid().expand(50, IN)
            self.fired = torch.bernoulli(rate) if drawn else (torch.rand(50, IN) < rate).float()
            return self.fired @ self.w + x.sum()

    model = Background()
    with warnings.catch_warnings(), Monitor(model, num_timesteps=1, samples=1) as monitor:
        warnings.simplefilter("ignore", MonitorWarning)
        for _ in range(3):
            model(torch.ones(1, IN))
            expected = float(model.fired.detach().sum()) * OUT
            assert monitor.report().synops_per_sample == expected > 0


def test_a_mask_that_is_drawn_into_a_buffer_is_no_spike() -> None:
    class DropConnect(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(IN, OUT))
            self.register_buffer("mask", torch.ones(IN, OUT))

        def forward(self, x: Tensor) -> Tensor:
            return x @ (self.w * self.mask.bernoulli_(0.5))

    x = spikes(4)
    assert counted(DropConnect(), x) == [(float(x.sum()) * OUT, 0)] * 3


def _signs() -> Tensor:
    signs = torch.eye(OUT)
    signs[4:] *= -1
    return signs


FIXED: dict[str, Made] = {
    "signs": lambda m: m.w.abs() @ _signs(),
    "signs of rows": lambda m: torch.diag(torch.cat([torch.ones(6), -torch.ones(2)])) @ m.w.abs(),
    "signs by einsum": lambda m: torch.einsum("io,op->ip", m.w, _signs()),
    "signs by linear": lambda m: F.linear(m.w, _signs()),
    "less their mean": lambda m: m.w - torch.ones(IN, IN) @ m.w / IN,
    "averaged": lambda m: m.w @ (torch.ones(OUT, OUT) / torch.ones(OUT, OUT).sum(1, keepdim=True)),
    "blurred": lambda m: F.conv1d(m.w[:, None], torch.ones(1, 1, 3), padding=1)[:, 0],
    "masked": lambda m: m.w @ torch.ones(OUT, OUT).tril(),
    "numbers times numbers": lambda m: m.w @ (torch.eye(OUT) @ _signs()),
    "noisy": lambda m: (m.w + 0.1 * torch.randn(IN, OUT)) @ _signs(),
}


@pytest.mark.parametrize("met", MET)
@pytest.mark.parametrize("made", FIXED)
def test_weights_times_a_matrix_of_numbers_are_weights(made: str, met: str) -> None:
    model = Synapses(FIXED[made], MET[met])
    for x in (spikes(4), torch.zeros(4, IN)):
        assert counted(model, x) == [(float(x.sum()) * OUT, 0)] * 3


def test_numbers_in_the_place_of_data_are_data() -> None:
    """A constant drive, once by a layer and once by hand; and noise, which is an input of a generator."""
    layer = nn.Linear(IN, OUT, bias=False)
    drives: dict[str, tuple[Callable[[Any], Tensor], tuple[float, float]]] = {
        "a layer": (lambda m: m.layer(torch.ones(4, IN)), (4 * IN * OUT, 0)),
        "by hand": (lambda m: torch.ones(4, IN) @ m.w, (4 * IN * OUT, 0)),
        "noise": (lambda m: torch.randn(IN, IN) @ m.w, (0, IN * IN * OUT)),
    }
    for drive, expected in drives.values():
        model = Synapses(drive, lambda x, driven: driven + x.sum())
        model.layer = layer
        with warnings.catch_warnings(), Monitor(model, samples=1, num_timesteps=1) as monitor:
            warnings.simplefilter("ignore", MonitorWarning)
            model(spikes(4))
        report = monitor.report()
        assert (report.synops_per_sample, report.macs_per_sample) == expected
