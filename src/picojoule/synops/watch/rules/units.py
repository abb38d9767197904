"""Units of spikes: which of them fit together, and how they are followed element by element."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.watch.origin import DENSE, NUMBERS, WHOLE_NUMBERS, Origin, joined
from picojoule.synops.watch.origins import Origins


def uniform(origin: Origin) -> Origin:
    """Spikes of different units that meet in one value are no longer spikes."""
    return DENSE if has_map(origin) else origin


def with_sign(origin: Origin, signed: bool) -> Origin:
    """Spikes that may be negative, or may not."""
    if origin.kind != "spikes" or origin.signed == signed:
        return origin
    return replace(origin, signed=signed)


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
    return isinstance(x, Tensor) or (isinstance(x, Real) and not isinstance(x, bool))


def is_whole(x: Any) -> bool:
    """Whether an argument is a whole number."""
    return isinstance(x, Real) and float(x).is_integer()


def is_trained(x: Tensor) -> bool:
    """Whether it is a parameter that is trained, or a part of one: if it is whole now, it will not stay so.

    What is computed of parameters may be whole for good, as a mask that is learned is, with a gradient or without.
    """
    owner = x if x._base is None else x._base
    return x.requires_grad and owner.is_leaf


def assembled(origins: Origins, operands: list[Any]) -> Origin:
    """The origin of a choice or an assembly, as of `together`; numbers beside nothing else are spikes of what they have in common."""
    if any(isinstance(x, complex) for x in operands):
        return DENSE
    numbers = [float(x) for x in operands if not isinstance(x, Tensor) and x != 0]
    given = [origins.known(x) for x in operands if isinstance(x, Tensor)]
    if not numbers or not all(origin is not None and origin.kind == "zeros" for origin in given):
        return together(origins, operands)
    unit = 1.0 if all(map(is_whole, numbers)) else min(map(abs, numbers))
    if not all(math.isfinite(x) and whole_units(x, unit) for x in numbers):
        return DENSE
    return replace(WHOLE_NUMBERS, unit=unit, signed=min(numbers) < 0)


def together(origins: Origins, operands: list[Any]) -> Origin:
    """The origin of a sum, a choice or an assembly of tensors and numbers.

    They are spikes if all are whole numbers of one unit, the finest that is there. Constants, but for parameters that
    are trained, and single values of unknown origin are looked at, on their device.
    """
    if any(isinstance(x, complex) for x in operands):
        return DENSE
    given = [x for x in operands if isinstance(x, Tensor)]
    noted = [origins.known(x) for x in given]
    if any(origin is not None and origin.kind == "dense" for origin in noted):
        # the others need not be looked at
        dense = joined(origin for origin in noted if origin is not None)
        alone = all(map(origins.is_without_data, given))
        return origins.without_data(given, NUMBERS) if alone else dense
    found = [origin or origins.of(x) for x, origin in zip(given, noted, strict=True)]
    numbers = [x for x in operands if not isinstance(x, Tensor) and x != 0]
    origin = joined(found)
    if origin.kind == "constant" or (origin.kind != "dense" and not numbers):
        return origin
    known, looked_at = _parted(given, found)
    origin = WHOLE_NUMBERS if origin.kind == "zeros" else _of_one_unit(known)
    if origin.kind != "spikes":
        return joined([DENSE, origin])
    if isinstance(origin.unit, Tensor) or any(map(is_trained, looked_at)):
        return DENSE
    unit = origin.unit
    if all(map(is_whole, [unit, *numbers])):
        unit = float(math.gcd(*map(int, [unit, *numbers])))  # 2 x - 1 is -1 or 1
        origin = replace(origin, unit=unit)
    if not all(whole_units(x, unit) for x in numbers):
        return DENSE
    flags = [replace(origin, whole=all_whole(x, unit)) for x in looked_at]
    return with_sign(joined([origin, *flags]), True)


def _parted(given: list[Tensor], found: list[Origin]) -> tuple[list[Origin], list[Tensor]]:
    """The origins of some tensors, and those tensors that are looked at, in the unit of the others.

    Those are constants; and beside spikes, single values of unknown origin.
    """
    known, constants, single = list[Origin](), list[Tensor](), list[Tensor]()
    for x, origin in zip(given, found, strict=True):
        if origin.kind == "constant":
            constants.append(x)
        elif origin.whole is not None and x.numel() == 1 and not x.requires_grad:
            single.append(x)
        else:
            known.append(origin)
    if any(origin.kind == "spikes" for origin in known):
        return known, constants + single
    return [origin for origin in found if origin.kind != "constant"], constants


def all_whole(x: Tensor, unit: float = 1.0) -> Tensor:
    """Whether all values are whole numbers of units: a boolean scalar on their device."""
    if x.is_complex():
        return torch.zeros((), dtype=torch.bool, device=x.device)
    number = x.detach() / unit
    return (number == number.round()).all() & number.isfinite().all()


def _of_one_unit(origins: list[Origin]) -> Origin:
    """Spikes whose units are whole multiples of the finest of them have that one."""
    units = {o.unit for o in origins if o.kind == "spikes" and not isinstance(o.unit, Tensor)}
    if len(units) > 1:
        finest = min(units)
        if all(whole_units(unit, finest) for unit in units):
            # a trace that decays by half halves its unit in each step
            if any(o.mixed for o in origins):
                return DENSE
            origins = [
                o if isinstance(o.unit, Tensor) else replace(o, unit=finest, mixed=True)
                for o in origins
            ]
    return joined(origins)
