"""Weights that are taken from values: offsets cost nothing, distances are an error."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops import MonitorWarning, fixed

pytestmark = pytest.mark.filterwarnings(f"ignore::{MonitorWarning.__module__}.MonitorWarning")


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()


class Against(nn.Module):
    """Values and a parameter, in a function."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], *shape: int) -> None:
        super().__init__()
        self.p, self.function = nn.Parameter(torch.randn(shape)), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.p)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squares": lambda x, c: ((x[:, None] - c) ** 2).sum(-1),
    "the other way round": lambda x, c: (c - x[:, None]).square().sum(-1),
    "magnitudes": lambda x, c: -(x[:, None] - c[None]).abs().sum(-1),
    "a norm": lambda x, c: torch.sub(x.unsqueeze(1), c).norm(dim=-1),
    "in the last axis": lambda x, c: torch.subtract(x[..., None], c.t()).abs().sum(1),
    "cdist": torch.cdist,
}


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("name", DISTANCES)
def test_distances_from_weights_are_an_error_in_every_pass(name: str, samples: int) -> None:
    model, x = nn.Sequential(Against(DISTANCES[name], 8, 4)), spikes(samples, 4)
    strict = Monitor(model).attach()
    for _ in range(3):
        with pytest.raises(NotImplementedError, match=r"layer '0' \(Against\) has weights but no"):
            model(x)
    strict.detach()
    with Monitor(model, formulas={Against: lambda module, x: [fixed(x, 8.0)]}) as monitor:
        model(x)
    arrived = monitor.synops.per_sample.total.item() * samples
    assert arrived == pytest.approx(x.sum().item() * 8)


OFFSETS: dict[str, tuple[tuple[int, ...], Callable[[Tensor, Tensor], Tensor]]] = {
    "a position": ((6, 4), lambda x, p: x - p),
    "a position with an axis for samples": ((1, 6, 4), lambda x, p: x - p),
    "fewer positions": ((9, 4), lambda x, p: x - p[:6]),
    "a position added to a repeated input": ((3, 1, 4), lambda x, p: x[:, None] + p),
    "thresholds of neurons": ((6, 4), lambda x, p: (x - p > 0).float()),
    "several thresholds": ((1, 7), lambda x, p: (x[..., None] - p > 0).float().sum(-1)),
    "a bias of attention": ((6, 6), lambda x, p: x @ x.mT - p),
    "a bias of each head": ((2, 6, 6), lambda x, p: (x @ x.mT)[:, None].repeat(1, 2, 1, 1) - p),
    "a bias of each channel": ((6, 1), lambda x, p: x - p),
    "in place": ((6, 4), lambda x, p: x.clone().sub_(p)),
    "by another name": ((6, 4), lambda x, p: torch.subtract(x, p)),
    "a state that begins as nothing": ((6, 4), lambda x, p: x + (torch.zeros(1, 4) - p)),
}


@pytest.mark.parametrize("name", OFFSETS)
def test_offsets_of_several_axes_are_no_distances(name: str) -> None:
    shape, function = OFFSETS[name]
    model, x = Against(function, *shape), spikes(5, 6, 4)
    products = "attention" in name or "head" in name
    with Monitor(model) as monitor:
        for _ in range(2):
            model(x)
            assert monitor.macs.total == 0
            assert (monitor.synops.total > 0) == products
