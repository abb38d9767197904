"""The values of a random model as plain functions in float64 say them, each with what one spike in it is worth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Pair = tuple[float, float]  # SynOps, MACs


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor `b t *n`; `unit` is the value of one spike at each element, None of dense values.

    `same` tells of spikes whether their unit is "one" number, one that a model may "learn", or a "map"
    that differs from element to element, or once did.
    """

    value: Tensor
    unit: Tensor | None = None
    same: Literal["one", "learned", "map"] = "one"

    @property
    def spikes(self) -> bool:
        return self.unit is not None

    @property
    def number(self) -> float:
        """The unit, where it is one number."""
        assert self.unit is not None
        return self.unit.flatten()[0].item() if self.unit.numel() else 1.0

    def counts(self) -> Tensor:
        """How many spikes each element stands for; of dense values, ones."""
        if self.unit is None:
            return torch.ones_like(self.value)
        counts = self.value.abs() / self.unit
        whole = counts.round()
        assert torch.allclose(counts, whole, atol=1e-6), "these are no spikes of this unit"
        return whole


def dense(value: Tensor) -> Value:
    return Value(value)


def spikes(value: Tensor, unit: float = 1.0) -> Value:
    return Value(value, torch.full_like(value, unit))


def moved(x: Value, move: Callable[[Tensor], Tensor]) -> Value:
    """What copies or reorders elements does the same to their units."""
    unit = None if x.unit is None else move(x.unit)
    return Value(move(x.value), unit, x.same)


def arrivals(x: Value, reach: Callable[[Tensor], Tensor]) -> Pair:
    """SynOps or MACs of a linear map whose weights are all one: `reach` of how many spikes there are."""
    number = reach(x.counts()).sum().item()
    return (number, 0.0) if x.spikes else (0.0, number)


def meetings(operands: list[Value], multiply: Callable[..., Tensor]) -> Pair:
    """Spikes of several operands that meet in a product."""
    number = multiply(*(x.counts() for x in operands)).sum().item()
    return (number, 0.0) if any(x.spikes for x in operands) else (0.0, number)


def window(x: Value, pool: Callable[[Tensor], Tensor]) -> Value:
    """What a linear pooling over the last axes makes of spikes: the share of one impulse is their new unit."""
    out = pool(x.value)
    if x.unit is None or x.same == "map":
        return dense(out)
    sample = x.value[0, 0]
    impulses = torch.eye(sample.numel(), dtype=sample.dtype).reshape(-1, 1, *sample.shape)
    share = pool(impulses).flatten(0, 1).amax(0)
    even = torch.unique(share.round(decimals=9)).numel() == 1
    share = torch.where(share == 0, torch.ones_like(share), share)
    unit = (share * x.number).expand(out.shape)
    return Value(out, unit, x.same if even else "map")
