"""What sums, products and their like do to spikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from picojoule.synops.watch.call import Call, Result
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, ZEROS, Origin, Origins, joined


def added(call: Call) -> Result:
    """A sum: spikes of one unit stay spikes, whole numbers of units may be added."""
    if call.kwargs.get("alpha", 1) != 1:
        return DENSE
    operands = [x for x in call.values if _is_value(x)]
    if isinstance(call.result, tuple):  # the largest along an axis
        operands = operands[:1]
    return together(call.origins, operands)


def subtracted(call: Call) -> Result:
    """A difference, whose spikes may be negative."""
    origin = added(call)
    assert isinstance(origin, Origin)
    return replace(origin, signed=True) if origin.kind == "spikes" else origin


def chosen(call: Call) -> Result:
    """`where`: either of two values."""
    _, *values = call.values
    return together(call.origins, values) if values else SIGNED_SPIKES


def together(origins: Origins, operands: list[Any]) -> Origin:
    """The origin of a sum of tensors and numbers."""
    of_tensors = []
    for x in operands:
        if isinstance(x, Tensor):
            known = origins.known(x)
            if known is not None and known.kind == "dense":
                return DENSE  # whatever the others are; their values need not be looked at
            of_tensors.append(known or origins.of(x))
    origin = joined(of_tensors)
    numbers = [x for x in operands if not isinstance(x, Tensor) and x != 0]
    if not numbers or origin.kind == "constant":
        return origin
    if origin.kind == "zeros":
        origin = SIGNED_SPIKES
    if origin.kind != "spikes" or not origin.uniform():
        return DENSE
    whole = all(float(x / origin.unit).is_integer() for x in numbers)
    return replace(origin, signed=True) if whole else DENSE


def multiplied(call: Call) -> Result:
    """A product: by a number or one value it scales the unit; of spikes it has the product of their units."""
    operands = [x for x in call.values if _is_value(x)]
    if len(operands) != 2:
        return DENSE
    return _product(call.origins, *operands)


def _product(origins: Origins, a: Any, b: Any) -> Origin:
    if not isinstance(a, Tensor):
        a, b = b, a
    if not isinstance(b, Tensor):
        return origins.of(a).scaled(b)
    first, second = origins.of(a), origins.of(b)
    if "zeros" in (first.kind, second.kind):
        return ZEROS
    if first.kind == second.kind == "spikes":
        factor = second.unit
        return joined([first, second], product=True).scaled(factor)
    if first.kind == second.kind:
        return joined([first, second])
    if first.kind != "spikes":
        (a, first), (b, second) = (b, second), (a, first)
    if first.kind == "spikes" and b.numel() == 1:
        return first.scaled(b.reshape(()))
    return DENSE


def divided(call: Call) -> Result:
    """A quotient: by a number or one value it scales the unit."""
    a, b, *_ = call.values
    if not isinstance(a, Tensor) or call.kwargs.get("rounding_mode") is not None:
        return DENSE
    if not isinstance(b, Tensor):
        return call.origins.of(a).scaled(1 / b) if b != 0 else DENSE
    first, second = call.origins.of(a), call.origins.of(b)
    if first.kind == second.kind == "constant":
        return joined([first, second])
    if first.kind == "spikes" and b.numel() == 1 and second.kind != "spikes":
        return first.scaled(1 / b.reshape(()))
    return ZEROS if first.kind == "zeros" else DENSE


def rectified(call: Call) -> Result:
    """Spikes that are no longer negative."""
    origin = call.origins.of(call.first)
    return replace(origin, signed=False) if origin.kind == "spikes" else origin


def negated(call: Call) -> Result:
    """Spikes of the other sign."""
    return call.origins.of(call.first).scaled(-1)


def clamped(call: Call) -> Result:
    """Limits that are whole numbers of units leave spikes."""
    return together(call.origins, [x for x in call.values if _is_value(x)])


def filled(call: Call) -> Result:
    """`masked_fill`: what is filled in has to be a whole number of units."""
    x, _, value, *_ = call.values
    return together(call.origins, [x, value])


def placed(call: Call) -> Result:
    """Values written, or added, into places of a tensor."""
    if call.kwargs.get("alpha", 1) != 1 or call.kwargs.get("reduce") is not None:
        return DENSE
    written = [x for x in call.values if isinstance(x, Tensor) and x.is_floating_point()]
    return together(call.origins, written)


def copied(call: Call) -> Result:
    """`copy_`: what the source is."""
    return call.origins.of(call.args[1])


def _is_value(x: Any) -> bool:
    return isinstance(x, Tensor | int | float) and not isinstance(x, bool)
