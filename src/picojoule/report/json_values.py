"""A report as plain values, and these as JSON, which has no NaN and no infinity."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from picojoule.energy import EnergyBreakdown, EnergyProfile
from picojoule.energy.network import NetworkEnergy
from picojoule.report.conventions import CONVENTIONS, convention_count
from picojoule.report.energy_tables import energy_notes
from picojoule.report.priced import Profile, Profiles, chosen, energy_by_layer, whole_energy
from picojoule.report.record import Record

VERSION = 2  # 1: without "version", and without what the comments below name
_TOTALS = (
    "synops_per_timestep",
    "synops_per_sample",
    "synops_per_sample_sd",  # since 2; so it is of layers
    "macs_per_sample",
    "macs_one_pass",
    "biases_per_sample",
    "neuron_updates_per_sample",
)


def as_json(content: Any, indent: int | None = None) -> str:
    """JSON of dicts, lists, words and numbers; null for a number that is not finite.

    Example:
        >>> as_json({"rate": float("nan"), "steps": [1, 2.5]})
        '{"rate": null, "steps": [1, 2.5]}'
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def report_values(record: Record) -> dict[str, Any]:
    """Rows, totals and units of a report as plain Python values."""
    content: dict[str, Any] = {
        "version": VERSION,
        "model": record.model,
        "samples": record.samples,
        "num_timesteps": record.num_timesteps,
        "counted_by": record.counted_by,  # since 2, with the next four
        "weights": record.weights,
        "ignored": list(record.ignored),
        "inputs": [{"shape": list(x.shape), "kind": x.kind} for x in record.inputs],
        "versions": dict(record.versions),
        "warnings": list(record.warnings),
        "layers": [asdict(row) | {"input": row.input} for row in record.rows],
        "totals": {name: getattr(record, name) for name in _TOTALS},
    }
    if record.conventions.counts:
        counts = (convention_count(record, name) for name in CONVENTIONS)
        content["conventions"] = {
            each.convention: {
                "synops_per_sample": each.synops_per_sample,
                "macs_per_sample": each.macs_per_sample,
                "not_reproduced": list(each.not_reproduced),
            }
            for each in counts
        }
    return content


def energy_values(record: Record, profile: Profiles) -> dict[str, Any] | list[dict[str, Any]]:
    """The energy on a profile as plain numbers, joules per sample; of a sequence of profiles, a list.

    What the profile does not say is null.
    """
    several = [_of_one(record, each) for each in chosen(profile)]
    one = isinstance(profile, str | EnergyProfile)
    return several[0] if one else several


def _of_one(record: Record, profile: Profile) -> dict[str, Any]:
    energy = whole_energy(record, profile)
    named, even = energy.profile, energy.break_even
    return {
        "profile": named.name,
        "basis": "modelled",
        "evidence": named.evidence,
        "pre_silicon": named.pre_silicon,
        "scope": named.scope,
        "technology_nm": named.technology_nm,
        "voltage_v": named.voltage_v,
        "skips_zero_weights": named.skips_zero_weights,
        "weights": record.weights,
        "total_j": float(energy.total_j),
        "compute_only": _total(energy.compute_only),
        "with_memory": _total(energy.with_memory),
        "unpriced": _unpriced(energy),
        "layers": {  # since 2
            name: {"total_j": float(layer.total_j), "unpriced": _unpriced(layer)}
            for name, layer in energy_by_layer(record, profile).items()
        },
        "ann_compute_only": float(energy.ann_compute_only.total_j),
        "ann_with_memory": float(energy.ann_with_memory.total_j),
        "spikes_per_synapse": energy.spikes_per_synapse,
        "break_even_spikes_per_synapse": None if even is None else even.with_memory,
        "notes": list(energy_notes([energy], record.weights)),
    }


def _unpriced(energy: NetworkEnergy) -> dict[str, float]:
    return {name: float(count) for name, count in energy.breakdown.unpriced.items()}


def _total(breakdown: EnergyBreakdown | None) -> float | None:
    return None if breakdown is None else float(breakdown.total_j)
