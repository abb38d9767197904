"""Dense values that numbers are written over, place by place: `z = v.clone(); z[v > 0] = 1; z[v <= 0] = 0`."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.rules.units import assembled

_MOST = 16  # numbers that are compared with the values


def numbers_over(origins: Origins, x: Tensor) -> frozenset[float] | None:
    """The numbers that were written over the dense values of `x` so far; None if it holds something else."""
    now, note = origins.known(x), origins.overwritten.get(x)
    if note is not None and note[1] is now:
        return note[0]
    is_dense = now is not None and now.kind == "dense" and not now.is_without_data()
    return frozenset() if is_dense and x.is_floating_point() else None


def overwritten(
    origins: Origins, x: Tensor, before: frozenset[float] | None, value: Any, origin: Origin
) -> Origin:
    """The origin of `x` after one more number was written: spikes if its values are nothing but those numbers.

    Args:
        origins: of this pass.
        x: what was written into.
        before: its numbers of before, of `numbers_over`.
        value: what was written.
        origin: of the result if other values are left.
    """
    if before is None or not isinstance(value, Real) or len(before) >= _MOST:
        return origin
    numbers = before | {float(value)}
    spikes = assembled(origins, list(numbers)) if len(numbers) > 1 else origin
    if spikes.kind == "spikes":
        values = x.detach()
        nothing_else = torch.stack([values == number for number in numbers]).any(0).all()
        origin = replace(spikes.of_data(), whole=nothing_else)
    origins.overwritten[x] = numbers, origin
    return origin
