"""Time on the last axis: the networks of STBP-tdBN, whose layers loop over it and fill what they give."""

from typing import Any

import torch
from torch import Tensor, nn

from tests.models.neurons import Heaviside

STEPS = 4


def state_update(u: Any, before: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
    u = 0.25 * u * (1 - before) + current
    return u, Heaviside.apply(u - 0.5)


class LIFSpikeLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        u = torch.zeros(x.shape[:-1], device=x.device)
        out = torch.zeros(x.shape, device=x.device)
        for step in range(STEPS):
            u, out[..., step] = state_update(u, out[..., max(step - 1, 0)], x[..., step])
        return out


class tdLayer(nn.Module):  # noqa: N801
    """A layer without time, a step at a time; the sizes of what it gives are read off the first step."""

    def __init__(self, layer: nn.Module, bn: nn.Module | None = None) -> None:
        super().__init__()
        self.layer, self.bn = layer, bn

    def forward(self, x: Tensor) -> Tensor:
        first = self.layer(x[..., 0])
        out = torch.zeros((*first.shape, STEPS), device=x.device)
        out[..., 0] = first
        for step in range(1, STEPS):
            out[..., step] = self.layer(x[..., step])
        return out if self.bn is None else self.bn(out)


class tdBatchNorm(nn.BatchNorm2d):  # noqa: N801
    """Over batch and time, scaled to the threshold."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean([0, 2, 3, 4])[None, :, None, None, None]
        var = x.var([0, 2, 3, 4], unbiased=False)[None, :, None, None, None]
        x = 0.5 * (x - mean) / torch.sqrt(var + self.eps)
        return x * self.weight[None, :, None, None, None] + self.bias[None, :, None, None, None]


class TdNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = tdLayer(nn.Conv2d(3, 8, 3, padding=1, bias=False), tdBatchNorm(8))
        self.conv2 = tdLayer(nn.Conv2d(8, 16, 3, 2, padding=1, bias=False), tdBatchNorm(16))
        self.avgpool = tdLayer(nn.AdaptiveAvgPool2d((4, 4)))
        self.fc1, self.fc2 = tdLayer(nn.Linear(256, 32)), tdLayer(nn.Linear(32, 10))
        self.spike = LIFSpikeLast()

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(-1).repeat(1, 1, 1, 1, STEPS)
        x = self.spike(self.conv1(x))
        x = self.spike(self.conv2(x))
        x = self.avgpool(x)
        x = x.view(x.shape[0], -1, x.shape[4])
        x = self.spike(self.fc1(x))
        out = self.fc2(x)
        return torch.sum(out, dim=2) / STEPS
