"""Codes of papers: bipolar spikes, spikes weighted by their time, spikes over their maximum."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor

B, STEPS, N, OUT = 3, 5, 8, 4

# each, and how many spikes arrive of so many
CODES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], float]]] = {
    "bipolar": (lambda x: 2 * x - 1, lambda x: x.numel()),
    "bipolar, the other way round": (lambda x: 1 - 2 * x, lambda x: x.numel()),
    "signs and 1, halved": (
        lambda x: (torch.sign(x - 0.5) + 1) / 2,
        lambda x: x.sum().item(),
    ),
    "1 and signs, halved": (
        lambda x: 0.5 * (1 + (x - 0.5).sign()),
        lambda x: x.sum().item(),
    ),
    "half of signs and a half": (
        lambda x: 0.5 * torch.sign(x - 0.5) + 0.5,
        lambda x: x.sum().item(),
    ),
    "less signs": (
        lambda x: (1 - torch.sgn(0.5 - x)).mul_(0.5),
        lambda x: x.sum().item(),
    ),
    "changed in place": (
        lambda x: (x - 0.5).sign_().add_(1).div_(2),
        lambda x: x.sum().item(),
    ),
    "less -1": (
        lambda x: (torch.sign(x - 0.5) - -1) / 2,
        lambda x: x.sum().item(),
    ),
    "signs and 1": (lambda x: torch.sign(x - 0.5) + 1, lambda x: x.sum().item()),
    "bipolar and back": (lambda x: (2 * x - 1 + 1) / 2, lambda x: x.sum().item()),
    "signs where some values are 0": (
        lambda x: torch.sign(x) + 1,
        lambda x: x.numel() + x.sum().item(),
    ),
    "what does not fire": (lambda x: 1 - x, lambda x: x.numel() - x.sum().item()),
    "a weight for each time": (
        lambda x: x * (0.8 ** torch.arange(float(STEPS)))[:, None],
        lambda x: x.sum().item(),
    ),
    "in a loop": (
        lambda x: torch.stack([x[:, t] * 0.8**t for t in range(STEPS)], 1),
        lambda x: x.sum().item(),
    ),
    "phases of binary digits": (
        lambda x: x * torch.tensor([0.5**t for t in range(STEPS)])[:, None],
        lambda x: x.sum().item(),
    ),
    "whole numbers of spikes": (
        lambda x: x * torch.tensor([1.0, 2.0, 0.0, 1.0, 3.0])[:, None],
        lambda x: (x.sum((0, 2)) * torch.tensor([1.0, 2.0, 0.0, 1.0, 3.0])).sum().item(),
    ),
    "some weights are zero": (
        lambda x: x * torch.tensor([0.5, 0.0, 0.0, 0.25, 0.3])[:, None],
        lambda x: x[:, [0, 3, 4]].sum().item(),
    ),
    "over the maximum": (lambda x: x / x.max(), lambda x: x.sum().item()),
}


@pytest.mark.parametrize("code", CODES)
def test_each_counts_as_the_spikes_it_is(code: str) -> None:
    class Coded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.synapses = nn.Linear(N, OUT)

        def forward(self, x: Tensor) -> Tensor:
            return self.synapses(CODES[code][0](x))

    torch.manual_seed(0)
    model, x = Coded(), (torch.rand(B, STEPS, N) < 0.4).float()
    expected = CODES[code][1](x) * OUT
    monitor = Monitor(model, time_axis="bt").attach()
    for _ in range(3):
        model(x)
        counted = monitor.synops.per_sample.total.item() * B
        assert counted == pytest.approx(expected, rel=1e-5)
        assert monitor.macs.per_sample.total == 0
    monitor.detach()


def test_an_input_of_two_signs_that_becomes_spikes() -> None:
    class Unsigned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.synapses = nn.Linear(N, OUT)

        def forward(self, x: Tensor) -> Tensor:
            return self.synapses((x + 1) / 2)

    model = Unsigned()
    with Monitor(model) as monitor:
        for fired in (3, 5, 0):
            x = -torch.ones(1, N)
            x[:, :fired] = 1
            model(x)
            assert monitor.synops.per_sample.total.item() == pytest.approx(fired * OUT)
