"""Weights that spikes select: a look-up in other words.

`weight[spikes.nonzero()]`, `torch.where(spikes, weight, 0)`, `weight.masked_fill(~spikes, 0)`: what is
selected is what a spike arrives at. An index that the model made of constants selects for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.formulas import Synapses
from picojoule.synops.formulas.synapses import Count
from picojoule.synops.magnitudes import Magnitudes, exact_dtype
from picojoule.synops.watch.elementwise import aligned, is_scale, unless_mask
from picojoule.synops.watch.function_call import tensors
from picojoule.synops.watch.origins import Origins

Selecting = Callable[[Origins, Any, tuple[Any, ...], dict[str, Any]], list[Synapses]]


def _looked_up(
    origins: Origins, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Synapses]:
    """Indexing in all its names, of a weight by data."""
    weight, *more = (*args, *kwargs.values())
    index = [x for x in tensors(more) if not origins.is_without_data(x)]
    if not index or not isinstance(weight, Tensor) or not origins.is_parameter(weight):
        return []

    def select(values: Tensor) -> Tensor:
        named = {name: values if x is weight else x for name, x in kwargs.items()}
        selected: Tensor = function(*(values if x is weight else x for x in args), **named)
        return selected

    def count(values: Sequence[Magnitudes | None]) -> Count:
        mask = values[1]
        if mask is None:
            return float(select(weight.detach()).numel())
        selected = select(mask.over([]))
        return selected.sum(dtype=exact_dtype(selected))

    return [Synapses((index[0], weight), frozenset([1]), count, channel=None)]


def _chosen(
    origins: Origins, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Synapses]:
    """`where(spikes, weight, 0)`, either way round."""
    names = ("condition", "input", "other")
    if args and not _is_condition(args[0]):  # `weight.where(spikes, 0)`
        names = ("input", "condition", "other")
    given = dict(zip(names, args, strict=False)) | kwargs
    condition, yes, no = (given.get(name, 0) for name in ("condition", "input", "other"))
    if not _is_data(origins, condition):
        return []
    if _is_weight(origins, yes) and _is_nothing(origins, no):
        return [_arriving(origins, condition, yes)]
    if _is_weight(origins, no) and _is_nothing(origins, yes):
        return [_arriving(origins, condition == 0, no)]
    return []


def _arriving(origins: Origins, spikes: Tensor, weight: Tensor) -> Synapses:
    synapses = aligned(spikes, weight, [1])
    return synapses if origins.is_parameter(weight) else unless_mask(synapses, weight)


def _blanked(
    origins: Origins, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Synapses]:
    """`weight.masked_fill(~spikes, 0)`."""
    given = dict(zip(("input", "mask", "value"), args, strict=False)) | kwargs
    weight, mask = given["input"], given["mask"]
    if not _is_data(origins, mask):
        return []
    if _is_weight(origins, weight) and _is_nothing(origins, given["value"]):
        return [aligned(mask == 0, weight, [1])]
    return []


_BY_NAME: dict[str, Selecting] = {
    "__getitem__": _looked_up,
    "index": _looked_up,
    "index_select": _looked_up,
    "gather": _looked_up,
    "take": _looked_up,
    "take_along_dim": _looked_up,
    "masked_select": _looked_up,
    "where": _chosen,
    "masked_fill": _blanked,
}


def selecting(name: str) -> Selecting | None:
    """What finds the weights that a function of this name selects; None for other functions."""
    return _BY_NAME.get(name)


def _is_data(origins: Origins, x: Any) -> bool:
    """Whether it is a tensor that is neither a constant nor made of those, of numbers and of chance alone."""
    return isinstance(x, Tensor) and not origins.is_without_data(x)


def _is_condition(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8)


def _is_weight(origins: Origins, x: Any) -> bool:
    """Whether it is a parameter, or a buffer with a matrix of weights; a vector that is not trained is a scale."""
    if not isinstance(x, Tensor) or x.numel() <= 1:
        return False
    return origins.is_parameter(x) or (not is_scale(x) and origins.is_held(x))


def _is_nothing(origins: Origins, x: Any) -> bool:
    if isinstance(x, Tensor):
        known = origins.known(x)
        return (known is not None and known.kind == "zeros") or _is_weight(origins, x)
    return bool(x == 0)
