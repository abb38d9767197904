"""Firing rates by sample and time step, wherever the layers have their time."""

from typing import Any

import pytest
import snntorch
import torch
from torch import Tensor, nn

import picojoule.layers as pl
from picojoule import Monitor

B, T, N = 3, 4, 5
DRIVE = torch.rand(B, T, N, generator=torch.Generator().manual_seed(0)) * 2


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lif = snntorch.Leaky(0.9)

    def forward(self, x: Tensor) -> Tensor:
        mem, out = self.lif.init_leaky(), []
        for t in range(T):
            spikes, mem = self.lif(x[:, t], mem)
            out.append(spikes)
        return torch.stack(out, 1)


class Batched(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lif = pl.IAF()

    def forward(self, x: Tensor) -> Tensor:
        return self.lif(x)


class Folded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lif = pl.IAFSqueeze(batch_size=B)

    def forward(self, x: Tensor) -> Tensor:
        return self.lif(x.flatten(0, 1)).unflatten(0, (B, T))


@pytest.mark.parametrize("model", [Loop, Batched, Folded])
@pytest.mark.parametrize("axes", [("step",), ("sample",), ("sample", "step")])
def test_rates_by_sample_and_step(model: Any, axes: Any) -> None:
    net = model()
    with Monitor(net, detail=axes) as monitor:
        spikes = net(DRIVE)
    by_both = spikes.detach().mean(-1)
    away = [axis for axis, name in enumerate(("sample", "step")) if name not in axes]
    expected = by_both.mean(away) if away else by_both
    assert expected.sum() > 0
    assert torch.allclose(monitor.rates.detail["lif"].detach(), expected)
    assert list(monitor.rates.detail) == ["lif"]


def test_calls_of_one_step_each_add_up_to_steps() -> None:
    net = nn.Sequential(snntorch.Leaky(0.9, init_hidden=True))
    with Monitor(net, time_axis="outer", detail=["step"]) as monitor:
        made = [net(DRIVE[:, t]).mean().item() for t in range(T)]
    assert monitor.rates.detail["0"].tolist() == pytest.approx(made)


def test_what_was_not_asked_for_is_told() -> None:
    net = Batched()
    with Monitor(net) as monitor:
        net(DRIVE)
    with pytest.raises(RuntimeError, match=r"Pass detail=\('sample', 'step'\)"):
        _ = monitor.rates.detail
