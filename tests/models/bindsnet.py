"""A network of groups of neurons and connections that a loop steps through, as in BindsNET.

`called=False` is how BindsNET does it: it runs `forward` of a group as a plain method, so that no hook sees it.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Nodes(nn.Module):
    """A group; its spikes `s` and potential `v` are buffers, filled anew at each step."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.register_buffer("s", torch.zeros(0, dtype=torch.bool))

    def set_batch_size(self, batch: int) -> None:
        self.s = torch.zeros(batch, self.n, dtype=torch.bool)


class Input(Nodes):
    def forward(self, x: Tensor) -> None:
        self.s = x.bool()


class LIFNodes(Nodes):
    def __init__(self, n: int, thresh: float = 1.0, decay: float = 0.9) -> None:
        super().__init__(n)
        self.thresh, self.decay = thresh, decay
        self.register_buffer("v", torch.zeros(0))

    def set_batch_size(self, batch: int) -> None:
        super().set_batch_size(batch)
        self.v = torch.zeros(batch, self.n)

    def forward(self, x: Tensor) -> None:
        self.v = self.decay * self.v + x
        self.s = self.v >= self.thresh
        self.v.masked_fill_(self.s, 0.0)


class Connection(nn.Module):
    def __init__(self, source: Nodes, target: Nodes) -> None:
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.rand(source.n, target.n), requires_grad=False)

    def compute(self, s: Tensor) -> Tensor:
        return s.view(s.size(0), -1).float() @ self.w


class Network(nn.Module):
    def __init__(self, called: bool) -> None:
        super().__init__()
        self.called = called
        groups: dict[str, Nodes] = {"X": Input(12), "A": LIFNodes(10), "B": LIFNodes(6)}
        self.layers = nn.ModuleDict(groups)
        self.ends = {"XA": ("X", "A"), "AB": ("A", "B"), "BA": ("B", "A")}
        self.connections = nn.ModuleDict(
            {name: Connection(groups[a], groups[b]) for name, (a, b) in self.ends.items()}
        )

    def _inputs(self) -> dict[str, Any]:
        """What arrives at each group, of the spikes of the step before."""
        arriving: dict[str, Any] = {}
        for name, (source, target) in self.ends.items():
            add = self.connections[name].compute(self.layers[source].s)
            arriving[target] = arriving.get(target, 0) + add
        return arriving

    def run(self, inputs: dict[str, Tensor], time: int) -> Tensor:
        batch = next(iter(inputs.values())).shape[1]
        for group in self.layers.values():
            group.set_batch_size(batch)
        record = []
        for t in range(time):
            arriving = self._inputs()
            for name, group in self.layers.items():
                x = inputs[name][t] if name in inputs else arriving[name]
                group(x) if self.called else group.forward(x)
            record.append(self.layers["B"].s)
        return torch.stack(record).float()


class Run(nn.Module):
    """The call of `run` as a model: spikes `t b n`."""

    def __init__(self, called: bool = True) -> None:
        super().__init__()
        self.network = Network(called)

    def forward(self, x: Tensor) -> Tensor:
        return self.network.run({"X": x}, time=len(x))
