"""Products and powers of spikes, of which no weights are part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from picojoule.synops.watch.call import Call, Result
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, ZEROS, Origin, Origins, joined
from picojoule.synops.watch.rules.registry import rule
from picojoule.synops.watch.rules.units import all_whole, is_value


@rule("mul multiply __mul__ __rmul__ __imul__")
def multiplied(call: Call) -> Result:
    """By a number or one value it scales the unit; of spikes the product has the product of their units."""
    a, b = (x for x in call.values if is_value(x))
    return _product(call.origins, a, b)


@rule("outer ger kron cross")
def multiplied_by_pairs(call: Call) -> Result:
    """Products of each value with each, or sums of such: of one unit each."""
    a, b = (x for x in call.values if isinstance(x, Tensor))
    if any(not call.origins.of(x).uniform() for x in (a, b)):
        return DENSE
    origin = _product(call.origins, a, b)
    return replace(origin, signed=True) if origin.kind == "spikes" else origin


@rule("addcmul")
def added_product(call: Call) -> Result:
    """X + value * a * b."""
    x, a, b = (x for x in call.values if isinstance(x, Tensor))
    product, start = _product(call.origins, a, b), call.origins.of(x)
    whole = float(call.kwargs.get("value", 1)).is_integer()
    return replace(joined([start, product]), signed=True) if whole else DENSE


@rule("square")
def squared(call: Call) -> Result:
    """Whole numbers of u become whole numbers of u^2."""
    return _power(call.origins.of(call.first), 2)


@rule("pow float_power __pow__ __ipow__")
def raised(call: Call) -> Result:
    """Whole numbers of u, to a whole power: whole numbers of u^n."""
    base, exponent, *_ = (x for x in call.values if is_value(x))
    if not isinstance(base, Tensor) or isinstance(exponent, Tensor):
        return DENSE
    if exponent == 0:
        return SIGNED_SPIKES
    return _power(call.origins.of(base), exponent) if exponent in range(1, 9) else DENSE


def _power(origin: Origin, exponent: float) -> Origin:
    if origin.kind != "spikes":
        return origin
    return replace(origin, unit=origin.unit**exponent, signed=origin.signed and exponent % 2 == 1)


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
    if first.kind != "spikes":
        (a, first), (b, second) = (b, second), (a, first)
    if first.kind != "spikes":
        return DENSE
    if b.numel() == 1:
        return origins.scaled(first, b)
    if second.kind != "constant" or b.requires_grad:
        return DENSE
    mask = replace(SIGNED_SPIKES, whole=all_whole(b))  # a mask, or a table of whole numbers
    return joined([first, mask], product=True)
