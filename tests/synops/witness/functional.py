"""Modules made of a function, for tests of what is called in a forward pass."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from picojoule import Monitor


class Calls(nn.Module):
    """Calls `function(module, *inputs)`; `weights` are its parameters `ws`, the rest its submodules."""

    def __init__(
        self, function: Callable[..., Any], *weights: Tensor, **modules: nn.Module
    ) -> None:
        super().__init__()
        self.function = function
        self.ws = nn.ParameterList([nn.Parameter(weight) for weight in weights])
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def totals(model: nn.Module, *inputs: Any, passes: int = 1, **options: Any) -> tuple[float, float]:
    """SynOps and MACs of all samples, in the last of several passes."""
    with Monitor(model, **options) as monitor:
        for _ in range(passes):
            model(*inputs)
    samples = monitor.report().samples
    synops, macs = monitor.synops.per_sample.total, monitor.macs.per_sample.total
    return round(synops.item() * samples, 2), round(macs.item() * samples, 2)


def spikes(*shape: int, seed: int = 0, rate: float = 0.4) -> Tensor:
    """Zeros and ones."""
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < rate).float()
