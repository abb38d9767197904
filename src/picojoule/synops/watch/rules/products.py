"""Products and powers of spikes, of which no weights are part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, Result
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, WITHOUT_DATA, ZEROS, Origin, joined
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import all_whole, is_trained, is_value, is_whole, with_sign


@rule("mul multiply __mul__ __rmul__ __imul__")
def multiplied(call: FunctionCall) -> Result:
    """A number, or a tensor of one value, scales the unit; a product of spikes has the product of their units."""
    a, b = call.operands
    return _product(call.origins, a, b) if is_value(a) and is_value(b) else DENSE


@rule("outer ger kron cross")
def multiplied_by_pairs(call: FunctionCall) -> Result:
    """Products of each value with each, or sums of such: of one unit each."""
    a, b = (x for x in call.values if isinstance(x, Tensor))
    if any(not call.origins.of(x).uniform() for x in (a, b)):
        return DENSE
    return with_sign(_product(call.origins, a, b), True)


@rule("addcmul")
def added_product(call: FunctionCall) -> Result:
    """X + value * a * b."""
    x, a, b = (x for x in call.values if isinstance(x, Tensor))
    product, start = _product(call.origins, a, b), call.origins.of(x)
    whole = is_whole(call.kwargs.get("value", 1))
    return with_sign(joined([start, product]), True) if whole else DENSE


@rule("square")
def squared(call: FunctionCall) -> Result:
    """Whole numbers of u become whole numbers of u^2."""
    return _power(call.origins.of(call.first), 2)


@rule("pow float_power __pow__ __ipow__")
def raised(call: FunctionCall) -> Result:
    """Whole numbers of u, to a whole power: whole numbers of u^n."""
    base, exponent = call.values[:2]
    if not isinstance(base, Tensor) or not is_whole(exponent):
        return DENSE
    if exponent == 0:
        return SIGNED_SPIKES
    return _power(call.origins.of(base), exponent) if exponent in range(1, 9) else DENSE


def _power(origin: Origin, exponent: float) -> Origin:
    if origin.kind != "spikes":
        return origin
    return replace(origin, unit=origin.unit**exponent, signed=origin.signed and exponent % 2 == 1)


def _masked(a: Origin, b: Origin) -> Origin | None:
    """Weights under a mask, or with noise, are weights."""
    for weights, others in ((a, b), (b, a)):
        if weights.kind == "constant" and others.source in WITHOUT_DATA and others.whole is None:
            return weights
    return None


def _product(origins: Origins, a: Any, b: Any) -> Origin:
    if not isinstance(a, Tensor):
        a, b = b, a
    if not isinstance(b, Tensor):
        return origins.of(a).scaled(b)
    first, second = origins.of(a), origins.of(b)
    if "zeros" in (first.kind, second.kind):
        return ZEROS
    if first.kind == second.kind == "spikes":
        return joined([first, second], product=True).scaled(second.unit)
    if first.kind == second.kind:
        return joined([first, second])
    masked = _masked(first, second)
    if masked is not None:
        return masked
    if first.kind != "spikes":
        (a, first), (b, second) = (b, second), (a, first)
    if first.kind != "spikes":
        return DENSE
    if b.numel() == 1:
        return origins.scaled(first, b)
    return _by_a_table(first, second, b)


def _by_a_table(first: Origin, second: Origin, b: Tensor) -> Origin:
    """Spikes times constants, or times data, which makes dense values."""
    if second.kind != "constant" or is_trained(b):
        return DENSE
    if not second.parameters and first.uniform():
        return _weighted(first, b)
    mask = replace(SIGNED_SPIKES, whole=all_whole(b))  # a mask, or a table of whole numbers
    return joined([first, mask], product=True)


def _weighted(spikes: Origin, table: Tensor) -> Origin:
    """Spikes times a table of numbers, such as 0.5^t: each is worth its number, unless all are whole numbers."""
    worth = table.detach().abs()
    worth = torch.where(all_whole(table) | (worth == 0), torch.ones_like(worth), worth)
    return replace(spikes, unit=worth * spikes.unit, signed=True)
