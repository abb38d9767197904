"""Joules of a report as a table, with the numbers that put them in their place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from picojoule.energy import EnergyBreakdown, EnergyProfile
from picojoule.energy.breakdown import SPOKEN, joules
from picojoule.energy.network import NetworkEnergy, network_energy
from picojoule.report.document import Document, Table
from picojoule.report.record import Record

Profile = str | EnergyProfile
Weights = Literal["all", "nonzero"]

_COLUMNS = ("SynOps", "MACs", "neuron updates", "memory", "total")
MODELLED = "Joules are modelled: what was counted times what a source says of one operation. Nothing was measured on a device."
_NOT_APART = ("",) * (len(_COLUMNS) - 1) + ("not published",)


def whole_energy(record: Record, profile: Profile) -> NetworkEnergy:
    """Joules per sample of all layers."""
    return network_energy(
        profile,
        synops=record.synops_per_sample,
        macs=record.macs_per_sample,
        neuron_updates=record.neuron_updates_per_sample,
        macs_one_pass=record.macs_one_pass,
        num_timesteps=record.num_timesteps,
    )


def energy_by_layer(record: Record, profile: Profile) -> dict[str, NetworkEnergy]:
    """Joules per sample of each layer alone."""
    return {
        row.name: network_energy(
            profile,
            synops=row.synops_per_sample or 0.0,
            macs=row.macs_per_sample or 0.0,
            neuron_updates=row.neuron_updates_per_sample or 0.0,
            macs_one_pass=row.macs_one_pass or 0.0,
            num_timesteps=record.num_timesteps,
        )
        for row in record.rows
    }


def with_energy(plain: Document, energy: NetworkEnergy, weights: Weights) -> Document:
    """The tables and notes of a report, and those of its joules below."""
    return replace(
        plain,
        tables=(*plain.tables, energy_table(energy)),
        notes=(*plain.notes, *energy_notes(energy, weights)),
    )


def energy_table(energy: NetworkEnergy) -> Table:
    """Joules of the network as the profile's name says, and of its quantised ANN.

    Bare arithmetic stands beside the arithmetic of the ANN alone: figures of one kind.
    """
    name = energy.profile.name
    alone, whole = energy.compute_only, energy.with_memory
    rows = [
        (f"{name}, compute only", *(_NOT_APART if alone is None else _joules(alone))),
        (f"{_ann(energy.ann_compute_only)}, compute only", *_joules(energy.ann_compute_only)),
    ]
    if whole is not None:
        rows.insert(1, (f"{name}, with memory", *_joules(whole)))
        rows.append(
            (f"{_ann(energy.ann_with_memory)}, with memory", *_joules(energy.ann_with_memory))
        )
    return Table(
        title=f"Energy per sample on {name}, modelled",
        headings=("", *_COLUMNS),
        words=1,
        rows=tuple(rows),
    )


def energy_notes(energy: NetworkEnergy, weights: Weights) -> tuple[str, ...]:
    """How far to trust the joules, what they contain and leave out, and the break-even rate.

    Args:
        energy: the joules.
        weights: whether zero weights were counted as synapses ("all") or not ("nonzero").
    """
    notes = [MODELLED, *energy.breakdown.notes(), energy.profile.zero_weights_note(weights)]
    if energy.compute_only is None:
        notes.append(
            f"{energy.profile.name} publishes no figure for arithmetic alone; its own contains memory."
        )
    notes.append(
        "The ANN is the same network run once with dense input, on 8-bit integers in 45 nm; figures "
        "of different technologies compare the technologies too."
    )
    return (*notes, *_verdict(energy))


def _ann(breakdown: EnergyBreakdown) -> str:
    return f"ANN on {breakdown.profile.name}, one pass"


def as_dict(energy: NetworkEnergy, weights: Weights) -> dict[str, Any]:
    """The energy as plain numbers, joules per sample. What the profile does not say is null."""
    chosen, even = energy.profile, energy.break_even
    return {
        "profile": chosen.name,
        "basis": "modelled",
        "evidence": chosen.evidence,
        "pre_silicon": chosen.pre_silicon,
        "scope": chosen.scope,
        "technology_nm": chosen.technology_nm,
        "voltage_v": chosen.voltage_v,
        "skips_zero_weights": chosen.skips_zero_weights,
        "weights": weights,
        "total_j": float(energy.total_j),
        "compute_only": _total(energy.compute_only),
        "with_memory": _total(energy.with_memory),
        "unpriced": {name: float(count) for name, count in energy.breakdown.unpriced.items()},
        "ann_compute_only": float(energy.ann_compute_only.total_j),
        "ann_with_memory": float(energy.ann_with_memory.total_j),
        "spikes_per_synapse": energy.spikes_per_synapse,
        "break_even_spikes_per_synapse": None if even is None else even.with_memory,
        "notes": list(energy_notes(energy, weights)),
    }


def _total(breakdown: EnergyBreakdown | None) -> float | None:
    return None if breakdown is None else float(breakdown.total_j)


def _verdict(energy: NetworkEnergy) -> tuple[str, ...]:
    even, arrived = energy.break_even, energy.spikes_per_synapse
    if even is None or arrived is None:
        return ()
    steps = energy.num_timesteps
    if not even.with_memory:
        return (
            "The neuron updates alone cost more than that ANN: at no firing rate do they break even.",
        )
    alone = ""
    if even.compute_only is not None:
        alone = f" ({even.compute_only / steps:.2%} by arithmetic alone)"
    memory = f"memory at {even.memory_j_per_byte * 1e12:.4g} pJ per byte"
    sentence = (
        f"Break-even with that ANN, {memory}, at {even.with_memory / steps:.2%} spikes per synapse and step"
        f"{alone}; this network has {arrived / steps:.2%}."
    )
    return (sentence,)


def _joules(breakdown: EnergyBreakdown) -> tuple[str, ...]:
    parts = {
        "synops": breakdown.synops_j,
        "macs": breakdown.macs_j,
        "neuron_updates": breakdown.neuron_updates_j,
        "memory_bytes": breakdown.memory_j,
    }
    missing = [SPOKEN[name] for name, count in breakdown.unpriced.items() if count]
    total = joules(float(breakdown.total_j)) + (" + ?" if missing else "")
    return (*(_part(name, value, breakdown) for name, value in parts.items()), total)


def _part(name: str, value: object, breakdown: EnergyBreakdown) -> str:
    if name in breakdown.unpriced:
        return "no price"
    return "" if value is None else joules(float(value))  # type: ignore[arg-type]
