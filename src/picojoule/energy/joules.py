"""Joules of a number of operations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from picojoule.energy.breakdown import (
    SPOKEN,
    WAY_ON,
    EnergyBreakdown,
    Quantity,
    is_some,
    text,
)
from picojoule.energy.energy_profile import EnergyProfile
from picojoule.energy.lookup import profile as find_profile

PRICE_OF = {
    "synops": "synop_j",
    "macs": "mac_j",
    "neuron_updates": "neuron_update_j",
    "memory_bytes": "memory_j_per_byte",
}
BYTES_PER_SYNOP = 5.0  # an 8-bit weight is read, a 16-bit potential read and written
BYTES_PER_MAC = 1.0  # an 8-bit weight is read; the sum stays in a register


def energy_j(
    profile: str | EnergyProfile,
    *,
    synops: Quantity = 0,
    macs: Quantity = 0,
    neuron_updates: Quantity = 0,
    memory_bytes: Quantity | None = None,
    strict: bool = False,
) -> EnergyBreakdown:
    """Energy of counted operations on one chip or technology.

        total_j = synops * synop_j + macs * mac_j + neuron_updates * neuron_update_j
                  + memory_bytes * memory_j_per_byte

    The name says what is in the total: memory traffic where the profile has a price for a byte, as
    "45nm-int8+step" and "22nm-dram" have, and nowhere else.

    Plain arithmetic: differentiable in every tensor, whose shapes broadcast; nothing waits for a
    GPU unless `strict`. Half-precision counts are priced in float32, where a picojoule is not zero.

    Args:
        profile: a name, or a profile of your own.
        synops: synaptic operations, per sample or whatever the joules shall be per.
        macs: multiply-accumulates of layers whose input is dense, in the same unit.
        neuron_updates: neurons times time steps, in the same unit.
        memory_bytes: bytes read and written, in the same unit. Omitted: 5 a SynOp and 1 a MAC, where
            the profile has a price for a byte. 0 leaves memory out.
        strict: raise if something was counted that the source has no price for.

    Returns:
        Joules by kind. What has no price is listed in `unpriced`, never taken for zero.

    Raises:
        ValueError: the profile publishes limits instead of joules; a count is negative or not
            finite; or, with `strict`, a count has no price.

    Example:
        >>> synops = torch.tensor([1e6, 2e6], requires_grad=True)
        >>> breakdown = energy_j("loihi", synops=synops, neuron_updates=1e4)
        >>> breakdown.total_j.sum().backward()
        >>> synops.grad
        tensor([2.3600e-11, 2.3600e-11])
    """
    chosen = find_profile(profile)
    _check_has_joules("energy_j", chosen)
    counts = {"synops": synops, "macs": macs, "neuron_updates": neuron_updates}
    if memory_bytes is not None:
        counts["memory_bytes"] = memory_bytes
    for name, count in counts.items():
        _check_count(name, count)
    assumed = memory_bytes is None and chosen.memory_j_per_byte is not None
    if assumed:
        counts["memory_bytes"] = assumed_bytes(synops, macs)
    prices = {name: getattr(chosen, PRICE_OF[name]) for name in counts}
    unpriced = {
        name: count
        for name, count in counts.items()
        if prices[name] is None and not _is_plain_zero(count)
    }
    if strict:
        _check_all_priced(chosen, unpriced)
    joules = {
        name: _wide(count) * (prices[name] or 0.0)
        for name, count in counts.items()
        if name not in unpriced
    }
    return EnergyBreakdown(
        profile=chosen,
        synops_j=joules.get("synops"),
        macs_j=joules.get("macs"),
        neuron_updates_j=joules.get("neuron_updates"),
        memory_j=joules.get("memory_bytes"),
        total_j=sum(joules.values(), start=0.0),
        unpriced=unpriced,
        remarks=_remarks(chosen, counts, assumed),
    )


def assumed_bytes(synops: Quantity, macs: Quantity) -> Quantity:
    """Memory traffic, bytes, if it was not measured: 5 a SynOp and 1 a MAC.

    Example:
        >>> assumed_bytes(10.0, 4.0)
        54.0
    """
    return _wide(synops) * BYTES_PER_SYNOP + _wide(macs) * BYTES_PER_MAC


def _remarks(
    chosen: EnergyProfile, counts: Mapping[str, Quantity], assumed: bool
) -> tuple[str, ...]:
    remarks = [
        f"{chosen.name}: {chosen.grade()}. It includes: {chosen.includes}. Source: {chosen.source}."
    ]
    if chosen.note:
        remarks.append(f"{chosen.name}: {chosen.note}.")
    if not chosen.verified:
        remarks.append(f"{chosen.name}: a figure is recalled, not read in the source.")
    if assumed:
        remarks.append(
            "Memory traffic is assumed, not measured: 5 bytes a SynOp (an 8-bit weight read, a "
            "16-bit potential read and written), 1 byte a MAC."
        )
    elif chosen.arithmetic_only and chosen.memory_j_per_byte is None:
        remarks.append(
            "Not in the total: memory traffic, which usually costs more than the arithmetic; name a "
            f"memory, as in '{chosen.name}+step'."
        )
    if chosen.neuron_update_j is not None and _is_plain_zero(counts["neuron_updates"]):
        remarks.append(f"{chosen.name} has a price for neuron updates, but none were given.")
    return tuple(remarks)


def price_j(where: str, chosen: EnergyProfile, name: str) -> float:
    """Joules of one operation of that kind, or an error that says what to do.

    Example:
        >>> price_j("here", find_profile("45nm-int8"), "macs")
        2.3e-13
    """
    _check_has_joules(where, chosen)
    price: float | None = getattr(chosen, PRICE_OF[name])
    if price is None:
        raise ValueError(
            f"{where}: {chosen.name!r} has no price for {SPOKEN[name]}. {WAY_ON[name]}"
        )
    return price


def _check_has_joules(where: str, chosen: EnergyProfile) -> None:
    if not chosen.has_joules():
        raise ValueError(
            f"{where}: {chosen.name!r} has no energy per operation. What is published is {chosen.limits or 'a limit'}: "
            "compare SynOps per second with core_load(), or choose a profile with joules."
        )


def _check_all_priced(chosen: EnergyProfile, unpriced: Mapping[str, Quantity]) -> None:
    for name, count in unpriced.items():
        if is_some(count):
            raise ValueError(
                f"energy_j: {chosen.name!r} has no price for {SPOKEN[name]}, and {text(count)} were counted. "
                f"{WAY_ON[name]} With strict=False the total is without them."
            )


def _check_count(name: str, count: Quantity) -> None:
    if not isinstance(count, Tensor | int | float):
        raise TypeError(
            f"energy_j: {name} is a {type(count).__name__}, expected one number or tensor. Of a monitor's "
            "counts, take one layer's or `.total`."
        )
    if not isinstance(count, Tensor) and not (count >= 0 and math.isfinite(count)):
        raise ValueError(f"energy_j: {name} is {count}, expected a finite count >= 0.")


def _wide(count: Quantity) -> Quantity:
    if isinstance(count, Tensor) and count.dtype in (torch.float16, torch.bfloat16):
        return count.float()
    return count


def _is_plain_zero(count: Quantity) -> bool:
    """Zero by its value without asking a tensor, which might be on a GPU."""
    return not isinstance(count, Tensor) and count == 0
