"""Joules of a whole network, with what makes the number honest beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

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
from picojoule.energy.joules import BYTES_PER_MAC, BYTES_PER_SYNOP, energy_j
from picojoule.energy.lookup import profile as find_profile


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkEnergy:
    """Joules per sample of a network on one profile, and of its quantised twin without spikes.

    Args:
        profile: whose figures these are.
        compute_only: arithmetic alone; None where the figures of a chip contain its memory.
        with_memory: with memory traffic, assumed to be 5 bytes a SynOp and 1 byte a MAC, or as
            contained in the figures of the chip; None where the profile is bare arithmetic.
        ann_compute_only: the same network run once, densely, on 8-bit integers in 45 nm.
        ann_with_memory: the same on "45nm-int8+step", with 1 byte a MAC of memory traffic.
        spikes_per_synapse: what arrived, per synapse and sample; None without synapses.
        break_even: spikes per synapse and sample at which both cost the same; None if the source
            has no price for a SynOp.
        num_timesteps: time steps of a sample.

    Example:
        >>> energy = network_energy("loihi", synops=1e6, neuron_updates=1e4, macs_one_pass=2e5)
        >>> print(f"{energy.total_j:.3g} J, ANN {energy.ann.total_j:.3g} J")
        2.44e-05 J, ANN 5.04e-06 J
    """

    profile: EnergyProfile
    compute_only: EnergyBreakdown | None
    with_memory: EnergyBreakdown | None
    ann_compute_only: EnergyBreakdown
    ann_with_memory: EnergyBreakdown
    spikes_per_synapse: float | None
    break_even: BreakEven | None
    num_timesteps: float

    @property
    def breakdown(self) -> EnergyBreakdown:
        """What the name of the profile says: with memory, unless it is bare arithmetic."""
        found = self.with_memory or self.compute_only
        assert found is not None  # network_energy gives at least one
        return found

    @property
    def ann(self) -> EnergyBreakdown:
        """The ANN priced in the same way: with memory, unless the profile is bare arithmetic."""
        return self.ann_compute_only if self.with_memory is None else self.ann_with_memory

    @property
    def total_j(self) -> Quantity:
        """Joules per sample, as :func:`picojoule.energy.energy_j` has them for the same name."""
        return self.breakdown.total_j

    def __str__(self) -> str:
        return f"{self.breakdown}, per sample"


def network_energy(
    profile: str | EnergyProfile,
    *,
    synops: float,
    macs: float = 0.0,
    neuron_updates: float = 0.0,
    macs_one_pass: float,
    num_timesteps: float = 1,
    synapses: float | None = None,
) -> NetworkEnergy:
    """Price a network's operations per sample, beside those of its ANN.

    Args:
        profile: a name, or a profile of your own. Memory is in the joules where the name says so,
            as in "45nm-int8+dram", and where the figures of a chip contain it.
        synops: per sample.
        macs: products of dense values, per sample.
        neuron_updates: neurons times time steps, per sample.
        macs_one_pass: multiplications of the network run once, densely.
        num_timesteps: time steps of a sample.
        synapses: that spikes can reach; if omitted, `macs_one_pass` less what dense values multiply, `macs / num_timesteps`.

    Raises:
        ValueError: the profile publishes limits instead of joules.

    Example:
        >>> for name in ("45nm-int8", "45nm-int8+step"):
        ...     print(f"{network_energy(name, synops=1e6, macs_one_pass=2e5).total_j:.3g} J")
        3e-08 J
        0.000125 J
    """
    chosen = find_profile(profile)
    priced = partial(energy_j, chosen, synops=synops, macs=macs, neuron_updates=neuron_updates)
    whole = priced()
    bare = chosen.arithmetic_only and chosen.memory_j_per_byte is None
    alone = whole if bare else None
    reached = macs_one_pass - macs / num_timesteps if synapses is None else synapses
    if chosen.memory_j_per_byte is not None:
        alone = priced(memory_bytes=0)
    return NetworkEnergy(
        profile=chosen,
        compute_only=alone,
        with_memory=None if bare else whole,
        ann_compute_only=ann_baseline_j(macs_one_pass),
        ann_with_memory=ann_baseline_j(
            macs_one_pass, profile=f"{QUANTISED_ANN}+{REFERENCE_MEMORY}"
        ),
        spikes_per_synapse=synops / reached if reached > 0 else None,
        break_even=_break_even(chosen, neuron_updates, macs_one_pass),
        num_timesteps=num_timesteps,
    )


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
    breakdown = energy_j(
        chosen,
        synops=synops,
        macs=macs,
        neuron_updates=neuron_updates if chosen.neuron_update_j is not None else 0.0,
        strict=strict,
    )
    total = breakdown.total_j
    return total if isinstance(total, Tensor) else synops.new_tensor(total)


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
