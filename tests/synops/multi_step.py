"""Neurons of several time steps that nobody knows, and networks around them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

T, B, C, H = 4, 3, 2, 5  # all different, so that none is mistaken for another


def spike(v: Tensor) -> Tensor:
    return (v >= 0).to(v)


class TimeFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        v, out = torch.zeros_like(x[0]), []
        for t in range(len(x)):
            v = v + (x[t] - v) / 2
            s = spike(v - 0.3)
            v = v * (1 - s)
            out.append(s)
        return torch.stack(out)


class Unbound(nn.Module):
    """The same, over `for x_t in x`, filled in place."""

    def forward(self, x: Tensor) -> Tensor:
        v, out = torch.zeros_like(x[0]), torch.zeros_like(x)
        for t, x_t in enumerate(x):
            v = 0.5 * v + x_t
            out[t] = spike(v - 0.3)
        return out


class BatchFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        v: Any = 0.0
        out = []
        for t in range(x.shape[1]):
            v = 0.5 * v + x[:, t, ...]
            out.append(spike(v - 0.3))
        return torch.stack(out, 1)


class TimeLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        v: Any = 0.0
        out = []
        for t in range(x.shape[-1]):
            v = 0.5 * v + x[..., t]
            out.append(spike(v - 0.3))
        return torch.stack(out, -1)


class Folded(nn.Module):
    """`(t b) *n`, as its neighbours want it; a spike is worth the threshold."""

    threshold = 0.375

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(0, (T, -1))
        v: Any = 0.0
        out = []
        for t in range(T):
            v = v + x[t]
            s = spike(v - self.threshold) * self.threshold
            v = v - s
            out.append(s)
        return torch.stack(out).flatten(0, 1)


class Sliced(nn.Module):
    """`(t b) *n`, never unfolded."""

    def forward(self, x: Tensor) -> Tensor:
        v: Any = 0.0
        out = []
        batch = len(x) // T
        for t in range(T):
            v = 0.5 * v + x[t * batch : (t + 1) * batch]
            out.append(spike(v - 0.3))
        return torch.cat(out)


class Chunked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        v: Any = 0.0
        out = []
        for step in x.chunk(T, dim=0):
            v = 0.5 * v + step
            out.append(spike(v - 0.3))
        return torch.cat(out)


class OneStep(nn.Module):
    """A step a call, with a potential that stays until the next."""

    def __init__(self) -> None:
        super().__init__()
        self.v: Any = 0.0

    def forward(self, x: Tensor) -> Tensor:
        self.v = 0.5 * self.v + x
        s = spike(self.v - 0.3)
        self.v = self.v * (1 - s)
        return s


class HandedBack(nn.Module):
    """A step a call; the caller hands the potential back."""

    def forward(self, x: Tensor, v: Any = 0.0) -> tuple[Tensor, Tensor]:
        v = 0.5 * v + x
        return spike(v - 0.3), v


# ---- what stands around them: an image `b c h`, and the model makes the steps; two neurons and two layers


class Net(nn.Module):
    def __init__(self, neuron: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.first, self.second = neuron(), neuron()
        self.mix, self.head = nn.Linear(C * H, 7), nn.Linear(7, 2)
        self.heard = list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        return self.over_time(x.flatten(1))

    def hear(self, x: Tensor) -> Tensor:
        """The head, and what it is given, `t b n`."""
        self.heard.append(x.detach())
        return self.head(x)

    def over_time(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(0).repeat(T, 1, 1)
        return self.hear(self.second(self.mix(self.first(x)))).mean(0)


class InBatchFirst(Net):
    def over_time(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(1).expand(-1, T, -1)
        return self.hear(self.second(self.mix(self.first(x)))).mean(1)


class InTimeLast(Net):
    def over_time(self, x: Tensor) -> Tensor:
        x = torch.stack([x] * T, -1)
        x = self.first(x)
        x = self.second(self.mix(x.transpose(1, 2)).transpose(1, 2))
        return self.hear(x.permute(2, 0, 1)).mean(0)


class InFolded(Net):
    def over_time(self, x: Tensor) -> Tensor:
        x = self.second(self.mix(self.first(x.repeat(T, 1))))
        return self.hear(x).unflatten(0, (T, -1)).mean(0)


class InLoop(Net):
    def over_time(self, x: Tensor) -> Tensor:
        for neuron in (self.first, self.second):
            neuron.v = 0.0
        return sum(self.hear(self.second(self.mix(self.first(x)))) for _ in range(T))  # type: ignore[return-value]


class InLoopWithState(Net):
    def over_time(self, x: Tensor) -> Tensor:
        v: Any = 0.0
        w: Any = 0.0
        total: Any = 0
        for _ in range(T):
            s, v = self.first(x, v)
            s, w = self.second(self.mix(s), w)
            total = total + self.hear(s)
        return total
