"""Counts by unit impulses and by nested sums, which share nothing with the formulas."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from picojoule.synops.formulas import FORMULAS, masked
from picojoule.synops.magnitudes import Magnitudes


def impulse_count(layer: nn.Module, x: Tensor, nonzero: bool) -> Tensor:
    """Sum of |x| times what one unit impulse in each place gives through weights of 0 and 1."""
    ones = copy.deepcopy(layer).double()
    ones._forward_pre_hooks.clear()
    with torch.no_grad():
        for name, parameter in ones.named_parameters():
            if "bias" in name:
                parameter.zero_()
            else:
                parameter.copy_((parameter != 0) if nonzero else torch.ones_like(parameter))
        sample = x[0]
        impulses = torch.eye(sample.numel(), dtype=torch.float64).reshape(-1, *sample.shape)
        reached = ones(impulses).flatten(1).sum(1)
    return (x.detach().double().abs().flatten(1) @ reached).sum()


class Calls(TorchFunctionMode):
    """The counted calls of a block, as (synapses, all of its operands)."""

    def __init__(self) -> None:
        super().__init__()
        self.synapses: list[Any] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in FORMULAS:
            self.synapses += FORMULAS[func](*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def formula_count(
    function: Callable[[], Any], nonzero: bool = False, dense: tuple[Tensor, ...] = ()
) -> Any:
    """What the formulas say of the calls that a function makes, each operand but weights spiking."""
    with Calls() as calls:
        function()
    total: Any = 0
    for synapses in calls.synapses:
        values = []
        for index, x in enumerate(synapses.operands):
            if index in synapses.weights:
                values.append(Magnitudes(masked(x)) if nonzero else None)
            else:
                values.append(None if any(x is d for d in dense) else Magnitudes(x))
        total = total + synapses.count(values)
    return total
