"""Joules of a whole network, with what makes the number honest beside it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from picojoule.energy.baseline import (
    QUANTISED_ANN,
    REFERENCE_MEMORY,
    BreakEven,
    ann_baseline_j,
    break_even_rate,
)
from picojoule.energy.breakdown import EnergyBreakdown, Quantity
from picojoule.energy.energy_profile import EnergyProfile
from picojoule.energy.joules import energy_j
from picojoule.energy.lookup import memory_cost
from picojoule.energy.lookup import profile as find_profile

BYTES_PER_SYNOP = 5.0  # an 8-bit weight is read, a 16-bit potential read and written
BYTES_PER_MAC = 1.0  # an 8-bit weight is read; the sum stays in a register


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkEnergy:
    """Joules per sample of a network on one profile, and of its quantised twin without spikes.

    Args:
        profile: whose figures these are.
        compute_only: arithmetic alone; None where the figures of a chip contain its memory.
        with_memory: with memory traffic, assumed to be 5 bytes a SynOp and 1 byte a MAC, or as
            contained in the figures of the chip.
        ann_compute_only: the same network run once, densely, on 8-bit integers in 45 nm.
        ann_with_memory: the same with 1 byte a MAC of memory traffic.
        spikes_per_synapse: what arrived, per synapse and sample; None without synapses.
        break_even: spikes per synapse and sample at which both cost the same; None if the source
            has no price for a SynOp.
        num_timesteps: time steps of a sample.

    Example:
        >>> energy = network_energy("loihi", synops=1e6, neuron_updates=1e4, macs_one_pass=2e5)
        >>> print(f"{energy.total_j:.3g} J, ANN {energy.ann_with_memory.total_j:.3g} J")
        2.44e-05 J, ANN 5.04e-06 J
    """

    profile: EnergyProfile
    compute_only: EnergyBreakdown | None
    with_memory: EnergyBreakdown
    ann_compute_only: EnergyBreakdown
    ann_with_memory: EnergyBreakdown
    spikes_per_synapse: float | None
    break_even: BreakEven | None
    num_timesteps: float

    @property
    def total_j(self) -> Quantity:
        """Joules per sample, memory included."""
        return self.with_memory.total_j

    def __str__(self) -> str:
        return f"{self.with_memory}, per sample"


def network_energy(
    profile: str | EnergyProfile,
    *,
    synops: float,
    macs: float = 0.0,
    neuron_updates: float = 0.0,
    macs_one_pass: float,
    num_timesteps: float = 1,
) -> NetworkEnergy:
    """Price a network's operations per sample, compute-only and with memory, beside its ANN.

    Args:
        profile: a name, or a profile of your own. Bare arithmetic gets the memory of the STEP
            benchmark; name another as in "45nm-int8+dram".
        synops: per sample.
        macs: products of dense values, per sample.
        neuron_updates: neurons times time steps, per sample.
        macs_one_pass: multiplications of the network run once, densely.
        num_timesteps: time steps of a sample.

    Raises:
        ValueError: the profile publishes limits instead of joules.

    Example:
        >>> energy = network_energy("45nm-int8", synops=1e6, macs_one_pass=2e5)
        >>> print(f"{energy.compute_only.total_j:.3g} J, with memory {energy.total_j:.3g} J")
        3e-08 J, with memory 0.000125 J
    """
    chosen = find_profile(profile)
    apart = chosen.keeps_memory_apart()
    compute = energy_j(chosen, synops=synops, macs=macs, neuron_updates=neuron_updates)
    whole = compute
    if apart:
        full = chosen
        if chosen.memory_j_per_byte is None:
            full = chosen.with_memory(memory_cost(REFERENCE_MEMORY))
        traffic = assumed_bytes(synops, macs)
        whole = energy_j(
            full, synops=synops, macs=macs, neuron_updates=neuron_updates, memory_bytes=traffic
        )
    return NetworkEnergy(
        profile=chosen,
        compute_only=compute if apart else None,
        with_memory=whole,
        ann_compute_only=ann_baseline_j(macs_one_pass),
        ann_with_memory=ann_baseline_j(
            macs_one_pass,
            profile=f"{QUANTISED_ANN}+{REFERENCE_MEMORY}",
            memory_bytes=BYTES_PER_MAC * macs_one_pass,
        ),
        spikes_per_synapse=_arrived(synops, macs, macs_one_pass, num_timesteps),
        break_even=_break_even(chosen, neuron_updates, macs_one_pass),
        num_timesteps=num_timesteps,
    )


def assumed_bytes(synops: Quantity, macs: Quantity) -> Quantity:
    """Memory traffic, bytes, if it was not measured: 5 a SynOp and 1 a MAC.

    Example:
        >>> assumed_bytes(10.0, 4.0)
        54.0
    """
    return synops * BYTES_PER_SYNOP + macs * BYTES_PER_MAC


def monitored_energy_j(
    profile: str | EnergyProfile,
    *,
    synops: Tensor,
    macs: Tensor,
    neuron_updates: Tensor | float,
    strict: bool = False,
) -> Tensor:
    """Joules per sample as one tensor with its graph, for a loss: :meth:`picojoule.Monitor.energy_j`.

    Memory traffic is in it where the profile has a price for a byte.

    Raises:
        ValueError: the profile has no joules; with `strict`, something counted has no price.

    Example:
        >>> import torch
        >>> synops = torch.tensor(1e6)
        >>> joules = monitored_energy_j("loihi", synops=synops, macs=0 * synops, neuron_updates=0.0)
        >>> joules
        tensor(2.3600e-05)
    """
    chosen = find_profile(profile)
    traffic = assumed_bytes(synops, macs) if chosen.memory_j_per_byte is not None else None
    breakdown = energy_j(
        chosen,
        synops=synops,
        macs=macs,
        neuron_updates=neuron_updates if chosen.neuron_update_j is not None else 0.0,
        memory_bytes=traffic,
        strict=strict,
    )
    total = breakdown.total_j
    return total if isinstance(total, Tensor) else synops.new_tensor(total)


def _arrived(synops: float, macs: float, one_pass: float, num_timesteps: float) -> float | None:
    """Spikes per synapse that spikes can reach."""
    synapses = one_pass - macs / num_timesteps
    return synops / synapses if synapses > 0 else None


def _break_even(
    chosen: EnergyProfile, neuron_updates: float, macs_one_pass: float
) -> BreakEven | None:
    if chosen.synop_j is None or not macs_one_pass:
        return None
    priced = chosen.neuron_update_j is not None
    return break_even_rate(
        chosen,
        bytes_per_mac=BYTES_PER_MAC,
        bytes_per_synop=BYTES_PER_SYNOP,
        neuron_updates_per_synapse=neuron_updates / macs_one_pass if priced else 0.0,
    )
