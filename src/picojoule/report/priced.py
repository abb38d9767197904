"""Joules of a report: of the whole network and of each layer, on one profile or on several."""

from __future__ import annotations

import math
from collections.abc import Sequence

from picojoule.energy import EnergyProfile, energy_j
from picojoule.energy import profile as find_profile
from picojoule.energy.network import NetworkEnergy, network_energy
from picojoule.report.record import Record
from picojoule.report.row import Row

Profile = str | EnergyProfile
Profiles = Profile | Sequence[Profile]

_COUNTS = {
    "SynOps": "synops_per_sample",
    "MACs": "macs_per_sample",
    "neuron updates": "neuron_updates_per_sample",
}


def chosen(profile: Profiles | None) -> tuple[EnergyProfile, ...]:
    """The profiles that somebody names: none, one, or several.

    Raises:
        ValueError: there is none of a name, or two of them have the same.

    Example:
        >>> [each.name for each in chosen(["loihi", "45nm-fp32+step"])], chosen(None)
        (['loihi', '45nm-fp32+step'], ())
    """
    if profile is None:
        return ()
    several = [profile] if isinstance(profile, str | EnergyProfile) else profile
    found = tuple(map(find_profile, several))
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"Report: two profiles are called {twice!r}, which a table cannot tell apart. Name each once; give one of "
            "your own another name, with dataclasses.replace(profile, name=...)."
        )
    return found


def priceable(profile: Profile) -> EnergyProfile:
    """The profile, which has a price for something.

    Raises:
        ValueError: there is none of that name, or it publishes limits instead of joules.

    Example:
        >>> priceable("speck")
        Traceback (most recent call last):
        ValueError: energy_j: 'speck' has no energy per operation. What is published is a highest number of SynOps per second and core, above which the chip stalls: compare SynOps per second with core_load(), or choose a profile with joules.
    """
    return energy_j(profile, synops=0).profile


def whole_energy(record: Record, profile: Profile) -> NetworkEnergy:
    """Joules per sample of all layers."""
    _check_finite(record)
    return network_energy(
        profile,
        synops=record.synops_per_sample,
        macs=record.macs_per_sample,
        neuron_updates=record.neuron_updates_per_sample,
        macs_one_pass=record.macs_one_pass,
        num_timesteps=record.num_timesteps,
        synapses=sum(map(_reached, record.rows)),
    )


def energy_by_layer(record: Record, profile: Profile) -> dict[str, NetworkEnergy]:
    """Joules per sample of each layer alone."""
    _check_finite(record)
    return {
        row.name: network_energy(
            profile,
            synops=row.synops_per_sample or 0.0,
            macs=row.macs_per_sample or 0.0,
            neuron_updates=row.neuron_updates_per_sample or 0.0,
            macs_one_pass=row.macs_one_pass or 0.0,
            num_timesteps=record.num_timesteps,
            synapses=_reached(row),
        )
        for row in record.rows
    }


def _reached(row: Row) -> float:
    """Synapses of a layer that spikes can reach."""
    if not row.macs_per_sample:
        return row.macs_one_pass or 0.0
    return (
        (row.synops_per_timestep or 0.0) / row.spikes_per_synapse if row.spikes_per_synapse else 0.0
    )


def _check_finite(record: Record) -> None:
    for row in record.rows:
        for words, name in _COUNTS.items():
            value = getattr(row, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(
                    f"Report: layer {row.label!r} has {value} {words}, which have no joules. The table without a profile "
                    "shows all layers; counts are no numbers where the model's input or its weights are none."
                )
