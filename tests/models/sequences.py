"""Sequences: recurrent layers with weights and neurons in one (sparch), learned delays, tokens of text."""

from typing import Any

import torch
from torch import Tensor, nn

from tests.models.neurons import Heaviside
from tests.models.spikformer import Block


class RLIFLayer(nn.Module):
    """Its weights, a normalisation over batch and time, and neurons that hear one another; `b t n`."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.W = nn.Linear(inputs, hidden, bias=False)
        self.V = nn.Linear(hidden, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden, momentum=0.05)
        self.alpha = nn.Parameter(torch.empty(hidden).uniform_(0.8, 0.95))

    def forward(self, x: Tensor) -> Tensor:
        wx = self.W(x)
        normal = self.norm(wx.reshape(wx.shape[0] * wx.shape[1], wx.shape[2]))
        return self._rlif_cell(normal.reshape(wx.shape))

    def _rlif_cell(self, wx: Tensor) -> Tensor:
        ut = torch.rand(wx.shape[0], wx.shape[2])
        st = torch.zeros(wx.shape[0], wx.shape[2])
        s = []
        alpha = torch.clamp(self.alpha, min=0.8, max=0.96)
        v = self.V.weight.clone().fill_diagonal_(0)
        for t in range(wx.shape[1]):
            ut = alpha * (ut - st) + (1 - alpha) * (wx[:, t, :] + torch.matmul(st, v))
            st = Heaviside.apply(ut - 0.5)
            s.append(st)
        return torch.stack(s, dim=1)


class ReadoutLayer(nn.Module):
    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.W = nn.Linear(inputs, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        wx = self.W(x)
        ut = torch.rand(wx.shape[0], wx.shape[2])
        out = torch.zeros(wx.shape[0], wx.shape[2])
        for t in range(wx.shape[1]):
            ut = 0.9 * ut + 0.1 * wx[:, t, :]
            out = out + nn.functional.softmax(ut, dim=1)
        return out


class Sparch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.snn = nn.ModuleList([RLIFLayer(20, 12), RLIFLayer(12, 8), ReadoutLayer(8, 3)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.snn:
            x = layer(x)
        return x


class DelayNet(nn.Module):
    """Delays as convolutions over time: `t b n` is turned to `b n t` and back around each."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        self.conv1, self.bn1, self.node1 = (
            nn.Conv1d(20, 12, 3, bias=False),
            nn.BatchNorm1d(12),
            node(),
        )
        self.conv2 = nn.Conv1d(12, 3, 3, bias=False)
        self.left = nn.ConstantPad1d((2, 0), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.left(x.permute(1, 2, 0)))
        x = self.node1(self.bn1(x).permute(2, 0, 1))
        return self.conv2(self.left(x.permute(1, 2, 0))).sum(-1)


class SpikingText(nn.Module):
    """Tokens `b l`: their vectors, repeated over time, through the blocks of Spikformer."""

    def __init__(self, lif: Any, steps: int = 4, dim: int = 16) -> None:
        super().__init__()
        self.steps = steps
        self.emb, self.pe = nn.Embedding(30, dim), nn.Parameter(0.1 * torch.randn(6, dim))
        self.init_lif = lif(v_threshold=0.2)
        self.blocks = nn.ModuleList([Block(lif, dim, 4)])
        self.ln, self.cls = nn.LayerNorm(dim), nn.Linear(dim, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids) + self.pe
        x = x.repeat((self.steps, *torch.ones(x.dim(), dtype=torch.int).tolist()))
        x = self.init_lif(x)
        for block in self.blocks:
            x = block(x)
        return self.cls(self.ln(x.mean(2))).mean(0)
