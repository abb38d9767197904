"""What data have picked or placed tells of data, even if it is numbers: `torch.where(v > 0, one, zero)`, `table[v > 0]`."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, tensors
from picojoule.synops.watch.judged import can_be_read, judged, spike_value
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, Origin
from picojoule.synops.watch.origins import Origins, by_values
from picojoule.synops.watch.rules.units import all_whole

_FEW = 4096  # numbers that are read to find what they have in common


def is_without_data(call: FunctionCall) -> bool:
    """Whether nothing that is given is data. Integers that nothing in this pass has made are the model's own tables."""
    origins = call.origins
    return all(
        origins.is_without_data(x) or _is_from_outside(origins, x) for x in tensors(call.values)
    )


def _is_from_outside(origins: Origins, x: Tensor) -> bool:
    whole = not (x.is_floating_point() or x.is_complex() or x.is_quantized)
    return whole and origins.known(x) is None and not origins.is_given(x)


def placed_by_data(call: FunctionCall, origin: Origin) -> Origin:
    """The origin of a result that is made of constants, if data say which of them are where; of others it stays.

    Rows of weights are dense values, as those of an embedding are. Numbers are spikes of what they have in common.
    """
    if origin.kind != "constant" or is_without_data(call):
        return origin
    return origin_of_picked(call, constants_of(call))


def constants_of(call: FunctionCall) -> list[Tensor]:
    """The constants that a function is given."""
    return [x for x in tensors(call.values) if call.origins.constant(x) is not None]


def origin_of_picked(call: FunctionCall, constants: list[Tensor]) -> Origin:
    """The origin of a result that is some of these constants, wherever data want them."""
    if any(x.numel() > 1 and call.origins.is_parameter(x) for x in constants):
        return DENSE
    return _of_numbers(constants, call.result)


def _of_numbers(given: list[Tensor], result: Tensor) -> Origin:
    """Spikes of the value of which all that is given are multiples: 1 if they are whole. That values had a say is told by `whole`."""
    if not result.is_floating_point():
        return SIGNED_SPIKES
    few = sum(x.numel() for x in given) <= _FEW
    if not few or not all(x.device.type == "cpu" and can_be_read(x) for x in given):
        whole, apart = by_values(result).whole, judged(result)
        if whole is None or apart.whole is None or not isinstance(apart.unit, Tensor):
            return SIGNED_SPIKES  # there are no values
        unit = torch.where(whole, torch.ones_like(apart.unit), apart.unit)
        return Origin("spikes", unit=unit, whole=whole | apart.whole)
    numbers = torch.cat([x.detach().flatten().float() for x in given])
    yes = torch.ones((), dtype=torch.bool, device=result.device)
    if bool(all_whole(numbers)):
        return Origin("spikes", whole=yes)
    unit_of_all = spike_value(numbers)
    if unit_of_all is None:
        return replace(DENSE, whole=~yes)
    return Origin("spikes", unit=unit_of_all, whole=yes)
