"""A buffer that a model writes spikes into holds spikes, by whatever way they were written."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor

B, DELAYS, N = 3, 3, 5


def _shift(buffer: Tensor) -> Tensor:
    buffer[:, 1:] = buffer[:, :-1].clone()
    return buffer


def _older(x: Tensor, buffer: Tensor) -> Tensor:
    return torch.cat([x[:, None], buffer[:, :-1]], 1)


# what changes the buffer; or a new one in its place
WAYS: dict[str, Callable[[Tensor, Tensor], Tensor | None]] = {
    "assigned": lambda b, x: _shift(b).__setitem__((slice(None), 0), x),
    "copied into a view": lambda b, x: (_shift(b)[:, 0].copy_(x), None)[1],
    "added to a view": lambda b, x: (_shift(b)[:, 0].zero_(), b[:, 0].add_(x), None)[2],
    "filled by a mask": lambda b, x: (
        _shift(b)[:, 0].zero_(),
        b[:, 0].masked_fill_(x > 0, 1),
        None,
    )[2],
    "a view of a view": lambda b, x: (_shift(b).view(B, -1)[:, :N].copy_(x), None)[1],
    "out=": lambda b, x: (torch.mul(x, 1, out=_shift(b)[:, 0]), None)[1],
    "by index": lambda b, x: (_shift(b).index_copy_(1, torch.tensor([0]), x[:, None]), None)[1],
    "under .data": lambda b, x: _shift(b).data.__setitem__((slice(None), 0), x),
    "under detach": lambda b, x: _shift(b).detach().__setitem__((slice(None), 0), x),
    "copied under .data": lambda b, x: (b.data.copy_(_older(x, b)), None)[1],
    "rolled": lambda b, x: (b.copy_(b.roll(1, 1)), b[:, 0].copy_(x), None)[2],
    "a new one": lambda b, x: _older(x, b),
    "a new one, out=": lambda b, x: (torch.cat([x[:, None], b[:, :-1].clone()], 1, out=b), None)[1],
    "quarters": lambda b, x: (_shift(b)[:, 0].copy_(x * 0.25), None)[1],
}


class Delays(nn.Module):
    buffer: Tensor

    def __init__(self, way: str, clears: bool) -> None:
        super().__init__()
        self.register_buffer("buffer", torch.zeros(B, DELAYS, N))
        self.synapses = nn.Linear(DELAYS * N, 2)
        self.way, self.clears = way, clears

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        if self.clears:
            self.buffer.zero_()
        out = []
        for now in x.unbind(1):
            changed = WAYS[self.way](self.buffer, now)
            if changed is not None:
                self.buffer = changed
            out.append(self.synapses(self.buffer.flatten(1)))
        return torch.stack(out, 1)


@pytest.mark.parametrize("clears", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_delay_line_in_a_buffer_holds_spikes(way: str, clears: bool) -> None:
    torch.manual_seed(0)
    model, x = Delays(way, clears), (torch.rand(B, 6, N) < 0.4).float()
    monitor = Monitor(model, num_timesteps=6, time_axis="bt").attach()
    for _ in range(3):
        model.buffer.zero_()
        model(x)
        arrived = sum(x[:, : 6 - delay].sum() for delay in range(DELAYS)) * 2
        assert monitor.synops.per_sample.total.item() * B == pytest.approx(float(arrived))
        assert monitor.macs.per_sample.total == 0
    monitor.detach()
