"""How many connections a layer is to end with, how many it has left, and which stay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from picojoule.budget.channels import groups
from picojoule.budget.masks import Prunable, is_plain, mask_of

Kind = Literal["prune", "thin", "fixed"]
POWER = 0.75  # measured: docs/adr/0030
FEW_OUTPUTS = 16  # linear layers with no more have little to give: they answer


def density(limit: float, first: float, power: float = POWER) -> float:
    """The share of the connections to end with: `min(1, (limit / first)^power)`.

    Args:
        limit: what may be spent.
        first: what the network spends without a budget, in the same unit.
        power: 1 would have connections come down as the limit does, and spikes stay; 0 the other way round.

    Raises:
        ValueError: a number is not positive and finite.

    Example:
        >>> density(16e3, 256e3), density(3.0, 2.0)
        (0.125, 1.0)
    """
    for name, value in (("limit", limit), ("first", first), ("power", power)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"density: {name} is {value}, expected a finite number > 0.")
    return min(1.0, math.pow(limit / first, power))


def can_lose_connections(model: nn.Module, layers: Iterable[str], kind: Kind) -> tuple[str, ...]:
    """Those of some layers that a budget takes connections from.

    Left alone are layers without a plain weight, linear ones of at most 16 outputs, and for "thin" grouped convolutions.

    Example:
        >>> model = nn.Sequential(nn.Linear(9, 40), nn.ReLU(), nn.Linear(40, 10))
        >>> can_lose_connections(model, ["0", "1", "2"], "prune")
        ('0',)
    """
    modules = dict(model.named_modules())
    return tuple(
        name
        for name in layers
        if isinstance(layer := modules.get(name), Prunable)
        and is_plain(layer)
        and (not isinstance(layer, nn.Linear) or layer.out_features > FEW_OUTPUTS)
        and not (kind == "thin" and groups(layer) > 1)
    )


def share_left(layer: Prunable, kind: Kind) -> float:
    """The share of a layer's connections (of its channels, for "thin") that its mask leaves; 1 without one.

    Example:
        >>> share_left(nn.Linear(2, 3), "prune")
        1.0
    """
    return 1.0 if mask_of(layer) is None else left_of(layer, kind).double().mean().item()


def left_of(layer: Prunable, kind: Kind) -> Tensor:
    """True where a weight, or for "thin" any weight of a channel, is left."""
    mask = mask_of(layer)
    assert mask is not None
    present = mask != 0
    return present.flatten(1).any(1) if kind == "thin" else present


def largest(worth: Tensor, share: float) -> Tensor:
    """True for the share with the largest worth, the first of equals first; in a matrix, for at least one in each row.

    A worth below 0 marks what has been taken away before.
    """
    flat, number = worth.flatten(), max(1, round(share * worth.numel()))
    if worth.ndim > 1:
        rows = worth.flatten(1)
        best = rows.argmax(1) + torch.arange(len(rows), device=rows.device) * rows.shape[1]
        best = best[flat[best] >= 0]
        flat = flat.index_fill(0, best, torch.inf)
        number = max(number, len(best))
    keep = torch.zeros(flat.shape, dtype=torch.bool, device=flat.device)
    keep[flat.argsort(descending=True, stable=True)[:number]] = True
    return keep.reshape(worth.shape)
