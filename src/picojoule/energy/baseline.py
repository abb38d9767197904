"""The network's quantised twin without spikes, and the activity at which both cost the same.

Counting arithmetic alone flatters the spikes: an event-driven SynOp reads a weight and reads and
writes a potential, whereas a dense layer keeps its sum in a register. Both figures stand side by
side here, as Yan, Bai and Wong (arXiv:2409.08290) argue they should.
"""

from __future__ import annotations

from dataclasses import dataclass

from picojoule.energy.breakdown import EnergyBreakdown, Quantity
from picojoule.energy.energy_profile import EnergyProfile, MemoryCost
from picojoule.energy.joules import BYTES_PER_MAC, BYTES_PER_SYNOP, energy_j, price_j
from picojoule.energy.lookup import memory_cost
from picojoule.energy.lookup import profile as find_profile

QUANTISED_ANN = "45nm-int8"
REFERENCE_MEMORY = "step"


@dataclass(frozen=True)
class BreakEven:
    """Spikes per synapse and sample below which the SNN is the cheaper network.

    Divide by the number of time steps for a firing rate per step.

    Args:
        compute_only: by arithmetic alone; None if the SNN's figures contain memory.
        with_memory: by arithmetic and memory traffic.
        memory_j_per_byte: the price of memory used on both sides.

    Example:
        >>> from picojoule.energy import break_even_rate
        >>> even = break_even_rate("45nm-int8")
        >>> print(f"{even.compute_only:.2f} {even.with_memory:.2f}")
        7.67 0.20
    """

    compute_only: float | None
    with_memory: float
    memory_j_per_byte: float


def ann_baseline_j(
    macs_dense: Quantity,
    *,
    profile: str | EnergyProfile = QUANTISED_ANN,
    memory_bytes: Quantity | None = None,
) -> EnergyBreakdown:
    """Energy of the same network run once, densely, as a quantised ANN.

        total_j = macs_dense * mac_j + memory_bytes * memory_j_per_byte

    Args:
        macs_dense: multiply-accumulates of one pass in which every input is non-zero.
        profile: what the ANN runs on; 8-bit integers in 45 nm if omitted.
        memory_bytes: bytes of weights and activations it moves; needs a profile with a memory, where 1
            byte a MAC is assumed if this is omitted.

    Returns:
        Joules by kind, to set beside `energy_j` of the SNN.

    Raises:
        ValueError: the profile has no price for a MAC, or for the memory traffic given.

    Example:
        >>> print(ann_baseline_j(1e6))
        2.3e-07 J on 45nm-int8

    Source: equal-precision quantised ANNs as the baseline, Yan, Bai and Wong, arXiv:2409.08290.
    """
    chosen = find_profile(profile)
    price_j("ann_baseline_j", chosen, "macs")
    if memory_bytes is not None:
        price_j("ann_baseline_j", chosen, "memory_bytes")
    return energy_j(chosen, macs=macs_dense, memory_bytes=memory_bytes)


def break_even_rate(
    snn: str | EnergyProfile,
    *,
    ann: str | EnergyProfile = QUANTISED_ANN,
    memory: str | MemoryCost | None = None,
    bytes_per_mac: float = BYTES_PER_MAC,
    bytes_per_synop: float = BYTES_PER_SYNOP,
    neuron_updates_per_synapse: float = 0.0,
) -> BreakEven:
    """Mean spikes per synapse and sample (rate x steps) below which the SNN is the cheaper one.

    A synapse costs the ANN one MAC, and the SNN one SynOp for each spike, whatever the number of
    steps; where both are equal,

        spikes = (mac_j + bytes_per_mac * m - updates * neuron_update_j)
                 / (synop_j + bytes_per_synop * m)

    with `m` the joules per byte of memory: 0 for `compute_only`. The figures of a whole chip
    contain its memory, so `m` then counts on the ANN's side alone. Figures of different
    technologies compare the technologies too.

    Args:
        snn: what the SNN runs on.
        ann: what the ANN runs on; 8-bit integers in 45 nm if omitted.
        memory: price of memory on both sides; if omitted that of `snn`, else of `ann`, else "step".
        bytes_per_mac: memory traffic of a MAC, bytes; one 8-bit weight if omitted.
        bytes_per_synop: memory traffic of a SynOp, bytes; an 8-bit weight and a 16-bit potential,
            read and written, if omitted.
        neuron_updates_per_synapse: neurons x steps / synapses; 0 leaves neuron updates out.

    Returns:
        Both break-even points; 0 where the neuron updates alone cost more than the ANN.

    Raises:
        ValueError: a profile has no price for what it has to do here, or a number is negative.

    Example:
        >>> even = break_even_rate("45nm-int8")
        >>> rate_at_5_steps = even.with_memory / 5
        >>> round(rate_at_5_steps, 3)
        0.04

    Source: Dampfhoffer et al., 2023, who place it at 0.15 to 1.38 spikes per synapse; Yan, Bai and
    Wong, arXiv:2409.08290, at a rate of 5.7 % for 5 steps; the default memory is that of the STEP
    benchmark.
    """
    spiking, dense = find_profile(snn), find_profile(ann)
    _check_traffic(bytes_per_mac, bytes_per_synop, neuron_updates_per_synapse)
    synop_j = price_j("break_even_rate", spiking, "synops")
    mac_j = price_j("break_even_rate", dense, "macs")
    updates_j = 0.0
    if neuron_updates_per_synapse:
        update_j = price_j("break_even_rate", spiking, "neuron_updates")
        updates_j = neuron_updates_per_synapse * update_j
    byte_j = _memory_price(spiking, dense, memory)
    synop_byte_j = byte_j if spiking.keeps_memory_apart() else 0.0
    mac_byte_j = byte_j if dense.keeps_memory_apart() else 0.0

    def spikes(synop_bytes_j: float, mac_bytes_j: float) -> float:
        return max(mac_j + mac_bytes_j - updates_j, 0.0) / (synop_j + synop_bytes_j)

    return BreakEven(
        compute_only=spikes(0.0, 0.0) if spiking.keeps_memory_apart() else None,
        with_memory=spikes(bytes_per_synop * synop_byte_j, bytes_per_mac * mac_byte_j),
        memory_j_per_byte=byte_j,
    )


def _check_traffic(*numbers: float) -> None:
    if not all(number >= 0 for number in numbers):
        raise ValueError(
            "break_even_rate: bytes_per_mac, bytes_per_synop and neuron_updates_per_synapse are "
            f"{', '.join(map(str, numbers))}; expected numbers >= 0."
        )


def _memory_price(
    spiking: EnergyProfile, dense: EnergyProfile, memory: str | MemoryCost | None
) -> float:
    if memory is not None:
        return memory_cost(memory).j_per_byte
    own = spiking.memory_j_per_byte or dense.memory_j_per_byte
    return own or memory_cost(REFERENCE_MEMORY).j_per_byte
