"""What a model makes of numbers or of chance alone is a mask or noise for weights, never a spike that arrives there."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor

N = 8
Mask = Callable[[Tensor], Tensor]


def _half_rows() -> Tensor:
    mask = torch.zeros(N, N)
    mask[: N // 2] = 1
    return mask


MASKED: dict[str, Mask] = {
    "no self-recurrence": lambda w: w * (1 - torch.eye(N)),
    "~mask": lambda w: w * ~torch.eye(N, dtype=torch.bool),
    "positions compared": lambda w: w * (torch.arange(N)[:, None] > torch.arange(N)),
    "tril(ones)": lambda w: w * torch.ones(N, N).tril(),
    "block_diag": lambda w: w * torch.block_diag(torch.ones(4, 4), torch.ones(4, 4)),
    "zeros written into": lambda w: w * _half_rows(),
    "dropconnect": lambda w: F.dropout(w, 0.5, training=True),
    "dropconnect by hand": lambda w: w * (torch.rand_like(w) < 0.5).float() / 0.5,
    "bernoulli": lambda w: w * torch.bernoulli(torch.full((N, N), 0.5)),
    "bernoulli_": lambda w: w * torch.empty(N, N).bernoulli_(0.5),
    "where": lambda w: torch.where(torch.rand(N, N) < 0.5, w, 0.0),
    "masked_fill": lambda w: w.masked_fill(torch.eye(N).bool(), 0),
    "the largest": lambda w: w * torch.zeros_like(w).scatter(1, w.abs().topk(2, 1).indices, 1.0),
    "noise added": lambda w: w + 0.1 * torch.randn_like(w),
    "noise multiplied": lambda w: w * (1 + 0.1 * torch.randn_like(w)),
}


class Masked(nn.Module):
    def __init__(self, mask: Mask, calls: int) -> None:
        super().__init__()
        self.weight, self.mask, self.calls = nn.Parameter(torch.rand(N, N) + 0.1), mask, calls
        self.connections: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        y = x.new_zeros(())
        for _ in range(self.calls):
            weight = self.mask(self.weight)
            self.connections.append(weight)
            y = y + F.linear(x, weight)
        return y


@pytest.mark.parametrize("weights", ["all", "nonzero"])
@pytest.mark.parametrize("name", MASKED)
def test_a_mask_of_weights_is_no_spike(name: str, weights: Literal["all", "nonzero"]) -> None:
    torch.manual_seed(0)
    model = Masked(MASKED[name], calls=4)
    x = (torch.rand(3, N) < 0.5).float()
    for _ in range(2):
        model.connections.clear()
        with Monitor(model, weights=weights) as monitor:
            model(x)
        there = [torch.ones(N, N) if weights == "all" else (w != 0) for w in model.connections]
        arrived = sum((x @ w.float().t()).sum() for w in there)
        assert monitor.synops.per_sample.total.item() * 3 == pytest.approx(float(arrived))
        assert monitor.macs.per_sample.total == 0


FROM_DATA: dict[str, Callable[[Tensor], Tensor]] = {
    "rate coding": lambda x: (torch.rand_like(x) < 0.4 * x).float(),
    "bernoulli": lambda x: torch.bernoulli(0.4 * x),
    "where": lambda x: torch.where(x > 0, 1.0, 0.0),
    "where of ones": lambda x: torch.where(x > 0, torch.ones(N), torch.zeros(N)),
    "zeros written into": lambda x: torch.zeros_like(x).masked_fill(x > 0, 1),
    "zeros assigned": lambda x: _assigned(x),
    "a row of eye": lambda x: torch.eye(N)[x.argmax(-1)],
    "scattered": lambda x: torch.zeros_like(x).scatter(1, x.topk(2).indices, 1.0),
}


def _assigned(x: Tensor) -> Tensor:
    z = torch.zeros_like(x)
    z[x > 0] = 1
    return z


@pytest.mark.parametrize("name", FROM_DATA)
def test_what_data_have_a_part_in_is_spikes(name: str) -> None:
    class OneToOne(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(N))
            self.arrived = torch.zeros(())

        def forward(self, x: Tensor) -> Tensor:
            z = FROM_DATA[name](x)
            self.arrived = z.detach()
            return z * self.weight

    torch.manual_seed(0)
    model, x = OneToOne(), (torch.rand(3, N) < 0.5).float()
    with Monitor(model, num_timesteps=1, time_axis="loop") as monitor:
        model(x)
    assert model.arrived.sum() > 0
    assert monitor.synops.per_sample.total.item() * 3 == pytest.approx(model.arrived.sum().item())
