"""Units of spikes: which of them fit together, and how they are followed element by element."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, Origin, Origins, joined


def uniform(origin: Origin) -> Origin:
    """Spikes of different units that meet in one value are no longer spikes."""
    return DENSE if has_map(origin) else origin


def has_map(origin: Origin) -> bool:
    """Whether spikes at different places have different units."""
    return origin.kind == "spikes" and isinstance(origin.unit, Tensor) and origin.unit.ndim > 0


def unit_map(x: Tensor, origin: Origin) -> Tensor:
    """The unit of each element of `x`, in its shape and strides."""
    units = torch.empty_like(x.detach())
    return units.copy_(origin.unit) if isinstance(origin.unit, Tensor) else units.fill_(origin.unit)


def whole_units(value: float, unit: float) -> bool:
    """Whether a number is a whole number of units, but for rounding."""
    number = value / unit
    return abs(number) < 2**53 and abs(number - round(number)) <= 1e-9 * max(1.0, abs(number))


def is_value(x: Any) -> bool:
    """Whether an argument is a tensor or a number, not an option."""
    return isinstance(x, Tensor | int | float) and not isinstance(x, bool)


def together(origins: Origins, operands: list[Any]) -> Origin:
    """The origin of a sum, a choice or an assembly of tensors and numbers.

    They are spikes if all are whole numbers of one unit, the finest that is there. Constants that are not trained
    are looked at, on their device.
    """
    given = [x for x in operands if isinstance(x, Tensor)]
    if any(known is not None and known.kind == "dense" for known in map(origins.known, given)):
        return DENSE  # whatever the others are; their values need not be looked at
    found = [origins.of(x) for x in given]
    numbers = [x for x in operands if not isinstance(x, Tensor) and x != 0]
    if not any(origin.kind == "spikes" for origin in found):
        origin = joined(found)
        if not numbers or origin.kind != "zeros":
            return origin
        found = [SIGNED_SPIKES]
    constants = [x for x, o in zip(given, found, strict=False) if o.kind == "constant"]
    origin = _of_one_unit([o for o in found if o.kind != "constant"])
    if origin.kind != "spikes" or not (numbers or constants):
        return origin
    if not origin.uniform() or any(c.requires_grad for c in constants):
        return DENSE
    assert not isinstance(origin.unit, Tensor)
    if not all(whole_units(x, origin.unit) for x in numbers):
        return DENSE
    flags = [replace(origin, signed=True, whole=all_whole(c, origin.unit)) for c in constants]
    return replace(joined([origin, *flags]), signed=True)


def all_whole(x: Tensor, unit: float = 1.0) -> Tensor:
    """Whether all values are whole numbers of units: a boolean scalar on their device."""
    number = x.detach() / unit
    return (number == number.round()).all() & number.isfinite().all()


def _of_one_unit(origins: list[Origin]) -> Origin:
    """Spikes whose units are whole multiples of the finest of them have that one."""
    units = {o.unit for o in origins if o.kind == "spikes" and not isinstance(o.unit, Tensor)}
    if len(units) > 1:
        finest = min(units)
        if all(whole_units(unit, finest) for unit in units):
            origins = [
                o if isinstance(o.unit, Tensor) else replace(o, unit=finest) for o in origins
            ]
    return joined(origins)
