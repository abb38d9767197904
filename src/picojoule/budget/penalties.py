"""Squared hinges, each in units of its own target, so that weights near 1 suit them all."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F


def synops_excess(synops: Iterable[Tensor], target: float) -> Tensor:
    """Penalty on every layer that spends more than the target.

        penalty = sum over layers of max(synops / target - 1, 0)^2

    A layer whose count carries no gradient (the first one, whose input is given) is left out: no
    training can change it.

    Args:
        synops: SynOps of each layer, scalars, in the unit of `target`.
        target: what a layer may spend, > 0.

    Returns:
        A scalar without unit.

    Raises:
        ValueError: the target is not > 0.

    Example:
        >>> layers = [torch.tensor(3e5, requires_grad=True), torch.tensor(5e4, requires_grad=True)]
        >>> synops_excess(layers, target=1e5).item()
        4.0

    Source: the loss of sinabs' tutorial on training with fewer SynOps, divided by the target.
    """
    check_target("synops_excess", target)
    return _sum(F.relu(count / target - 1) ** 2 for count in synops if count.requires_grad)


def rate_shortfall(rates: Iterable[Tensor], min_rate: float) -> Tensor:
    """Penalty on every neuron that fires less than the minimum.

        penalty = sum over layers of mean over neurons of max(1 - rate / min_rate, 0)^2

    Args:
        rates: firing rates of each layer's neurons, `*n` each, in the unit of `min_rate`.
        min_rate: what a neuron should fire at least, > 0.

    Returns:
        A scalar without unit; at most 1 a layer.

    Raises:
        ValueError: the minimum is not > 0.

    Example:
        >>> rate_shortfall([torch.tensor([0.0, 0.05, 0.1, 0.2])], min_rate=0.1).item()
        0.3125

    Source: the loss of sinabs' tutorial on training with fewer SynOps, divided by the minimum.
    """
    check_target("rate_shortfall", min_rate)
    return _sum((F.relu(1 - layer / min_rate) ** 2).mean() for layer in rates)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return sum(terms, start=torch.zeros(()))


def check_target(where: str, target: float) -> None:
    """Raise ValueError unless a target is > 0."""
    if not target > 0:
        raise ValueError(f"{where}: the target is {target}, expected a number > 0.")
