"""Plastic weights and those of a sample's own: spikes that meet them element by element count as in an `einsum`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.synops.passes import each_pass

STEPS, IN, OUT = 4, 6, 5
Met = Callable[[Tensor, Tensor], Tensor]
MET: dict[str, Met] = {
    "einsum": lambda x, w: torch.einsum("bi,bio->bo", x, w.expand(len(x), IN, OUT)),
    "bmm": lambda x, w: torch.bmm(x[:, None], w.expand(len(x), IN, OUT))[:, 0],
    "broadcast": lambda x, w: (x[:, :, None] * w).sum(1),
    "a sample at a time": lambda x, w: torch.stack(
        [(row[:, None] * own).sum(0) for row, own in zip(x, w.expand(len(x), IN, OUT), strict=True)]
    ),
}


class Changing(nn.Module):
    """Steps over spikes whose weights change, and what arrives at them, as each spike meets all outputs."""

    def __init__(self, met: Met) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.met, self.w = met, nn.Parameter(torch.randn(IN, OUT))

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Depressing(Changing):
    """Tsodyks and Markram's synapses: 1 x IN x OUT multiplications a sample and step."""

    macs = STEPS * IN * OUT

    def forward(self, x: Tensor) -> Tensor:
        u, r = torch.full((x.shape[1], IN), 0.2), torch.ones(x.shape[1], IN)
        out = []
        for now in x:
            u = u + 0.3 * (1 - u) * now - 0.1 * (u - 0.2)
            out.append(self.met(now, self.w * (u * r)[:, :, None]))
            r = r - u * r * now + 0.1 * (1 - r)
        return torch.stack(out)


class Gains(Changing):
    """A gain for each sample, which dense values tell."""

    macs = STEPS * IN * OUT

    def forward(self, x: Tensor) -> Tensor:
        gain = torch.tanh(x.mean(0).sum(-1))[:, None, None]
        return torch.stack([self.met(now, (self.w * gain).clamp(-1, 1)) for now in x])


class Plastic(Changing):
    """Traces of dense values, with a learned rate for each synapse: they are nothing in the first step."""

    macs = (STEPS - 1) * IN * OUT

    def __init__(self, met: Met) -> None:
        super().__init__(met)
        self.rate = nn.Parameter(torch.rand(IN, OUT))

    def forward(self, x: Tensor) -> Tensor:
        trace, out = torch.zeros(x.shape[1], IN, OUT), []
        for now in x:
            out.append(self.met(now, self.w + self.rate * trace))
            trace = 0.9 * trace + 0.1 * torch.tanh(out[-1])[:, None]
        return torch.stack(out)


def counted(model: nn.Module, x: Tensor) -> list[tuple[float, float]]:
    """SynOps and MACs of three passes."""
    return each_pass(model, x, x, x, time_axis="tb")


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("met", MET)
@pytest.mark.parametrize("kind", [Depressing, Gains, Plastic])
def test_each_spike_arrives_whatever_the_form(kind: Any, met: str, batch: int) -> None:
    x = (torch.rand(STEPS, batch, IN, generator=torch.Generator().manual_seed(5)) < 0.5).float()
    assert x.sum() > 0
    assert counted(kind(MET[met]), x) == [(float(x.sum()) * OUT, kind.macs * batch)] * 3


class Calls(nn.Module):
    def __init__(self, function: Callable[[Any, Tensor], Tensor], **held: Tensor) -> None:
        super().__init__()
        self.function, self.inward = function, nn.Linear(IN, OUT)
        for name, value in held.items():
            setattr(self, name, nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def _masked_positions(self: Any, x: Tensor) -> Tensor:
    tokens = torch.tanh(self.inward(x)) + self.places
    return (tokens * (x.sum(-1, keepdim=True) > 2).float()).sum(1)


def _gated_sums(self: Any, x: Tensor) -> Tensor:
    dense = torch.sigmoid(self.inward(x))[:, :, :, None] * self.w
    return dense.sum(2) * (x.sum(-1, keepdim=True) > 2).float()


def test_what_is_only_added_or_added_up_is_gated() -> None:
    """Tokens with embeddings of their positions, and sums of multiplied values, under a mask of spikes."""
    x = (torch.rand(4, 4, IN, generator=torch.Generator().manual_seed(5)) < 0.5).float()
    arrived = float(x.sum()) * OUT
    model: nn.Module = Calls(_masked_positions, places=torch.randn(1, 4, OUT))
    assert counted(model, x) == [(arrived, 0)] * 3
    model = Calls(_gated_sums, w=torch.randn(OUT, 2))
    assert counted(model, x) == [(arrived, 4 * 4 * OUT * 2)] * 3
