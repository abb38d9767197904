"""Joules of a report as tables, with the numbers and sources that put them in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from picojoule.energy import EnergyBreakdown
from picojoule.energy.breakdown import SPOKEN, joules
from picojoule.energy.network import NetworkEnergy
from picojoule.report.document import Document, Table
from picojoule.report.priced import Profiles, chosen, energy_by_layer, whole_energy
from picojoule.report.record import Record

Weights = Literal["all", "nonzero"]

_COLUMNS = ("SynOps", "MACs", "neuron updates", "memory", "total")
_SIDE_BY_SIDE = 4  # profiles that fit on a page
_UNKNOWN = " + ?"
_NOT_APART = ("",) * (len(_COLUMNS) - 1) + ("not published",)

MODELLED = "Joules are modelled: what was counted times what a source says of one operation. Nothing was measured on a device."
_THE_ANN = (
    "The ANN is the same network run once with dense input, on 8-bit integers in 45 nm; figures "
    "of different technologies compare the technologies too."
)
_QUESTION = "?: the source has no price for what was counted there."


def with_energy(plain: Document, record: Record, profile: Profiles | None) -> Document:
    """The tables of a report, and those of its joules: by layer, profiles side by side, and of the whole.

    Raises:
        ValueError: there is no such profile, it publishes limits instead of joules, or two have one name.
    """
    energies = [whole_energy(record, each) for each in chosen(profile)]
    if not energies:
        return plain
    parts = range(0, len(energies), _SIDE_BY_SIDE)
    by_layer = [_layers_table(record, energies[k : k + _SIDE_BY_SIDE], energies) for k in parts]
    whole = _energy_table(energies, record.weights)
    return replace(plain, tables=(*plain.tables, *by_layer, whole))


def _layers_table(
    record: Record, energies: Sequence[NetworkEnergy], among: Sequence[NetworkEnergy]
) -> Table:
    """What each layer costs: a column a profile, of those among others. The rows add up to the total."""
    columns = [energy_by_layer(record, energy.profile) for energy in energies]
    rows = tuple(
        (row.label, *(_total(layers[row.name].breakdown) for layers in columns))
        for row in record.rows
    )
    total = ("total", *(_total(energy.breakdown) for energy in energies))
    unknown = any("?" in cell for row in (*rows, total) for cell in row[1:])
    return Table(
        title="Energy of each layer per sample, modelled",
        headings=("layer", *(energy.profile.name for energy in energies)),
        words=1,
        rows=rows,
        total=total,
        notes=(*_sources(energies, among), *([_QUESTION] if unknown else [])),
    )


def _energy_table(energies: Sequence[NetworkEnergy], weights: Weights) -> Table:
    """Joules of the network as each profile's name says, and of its quantised ANN.

    Bare arithmetic stands beside the arithmetic of the ANN alone: figures of one kind.
    """
    rows = [row for energy in energies for row in _rows(energy)]
    first = energies[0]
    rows.append((f"{_ann(first.ann_compute_only)}, compute only", *_cells(first.ann_compute_only)))
    if any(energy.with_memory is not None for energy in energies):
        rows.append((f"{_ann(first.ann_with_memory)}, with memory", *_cells(first.ann_with_memory)))
    return Table(
        title=f"Energy per sample on {_listed([energy.profile.name for energy in energies])}, modelled",
        headings=("", *_COLUMNS),
        words=1,
        rows=tuple(rows),
        notes=energy_notes(energies, weights),
    )


def _rows(energy: NetworkEnergy) -> Iterator[tuple[str, ...]]:
    name, alone, whole = energy.profile.name, energy.compute_only, energy.with_memory
    yield (f"{name}, compute only", *(_NOT_APART if alone is None else _cells(alone)))
    if whole is not None:
        yield (f"{name}, with memory", *_cells(whole))


def energy_notes(energies: Sequence[NetworkEnergy], weights: Weights) -> tuple[str, ...]:
    """How far to trust the joules, what they contain and leave out, their sources, and the break-even rates.

    Args:
        energies: the joules, by profile. A sentence says of which it is, unless it is of all.
        weights: whether zero weights were counted as synapses ("all") or not ("nonzero").
    """
    others = _by_name(energies, energies, lambda energy: _of_the_chip(energy, weights))
    verdicts = _by_name(energies, energies, _verdict)
    return (*_sources(energies, energies), *others, _THE_ANN, *verdicts)


def _sources(energies: Sequence[NetworkEnergy], among: Sequence[NetworkEnergy]) -> tuple[str, ...]:
    return (MODELLED, *_by_name(energies, among, lambda energy: energy.breakdown.notes()))


def _by_name(
    energies: Sequence[NetworkEnergy],
    among: Sequence[NetworkEnergy],
    notes: Callable[[NetworkEnergy], Sequence[str]],
) -> tuple[str, ...]:
    """Sentences on some profiles among others: one that is not of them all has the profile's name in it."""
    of_all = set.intersection(*({*notes(energy)} for energy in among))
    found = []
    for energy in energies:
        name = energy.profile.name
        found += [
            note if note in of_all or name in note else f"{name}: {note}" for note in notes(energy)
        ]
    return tuple(dict.fromkeys(found))


def _of_the_chip(energy: NetworkEnergy, weights: Weights) -> list[str]:
    name, notes = energy.profile.name, [energy.profile.zero_weights_note(weights)]
    if energy.compute_only is None:
        notes.append(f"{name} publishes no figure for arithmetic alone; its own contains memory.")
    return notes


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


def _ann(breakdown: EnergyBreakdown) -> str:
    return f"ANN on {breakdown.profile.name}, one pass"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _cells(breakdown: EnergyBreakdown) -> tuple[str, ...]:
    parts = {
        "synops": breakdown.synops_j,
        "macs": breakdown.macs_j,
        "neuron_updates": breakdown.neuron_updates_j,
        "memory_bytes": breakdown.memory_j,
    }
    cells = (_part(name, value, breakdown) for name, value in parts.items())
    return (*cells, joules(float(breakdown.total_j)) + (_UNKNOWN if missing(breakdown) else ""))


def _part(name: str, value: object, breakdown: EnergyBreakdown) -> str:
    if name in breakdown.unpriced:
        return "no price"
    return "" if value is None else joules(float(value))  # type: ignore[arg-type]


def _total(breakdown: EnergyBreakdown) -> str:
    """In a table of layers: a question mark alone where nothing that was counted has a price."""
    total = float(breakdown.total_j)
    if not missing(breakdown):
        return joules(total)
    return joules(total) + _UNKNOWN if total else "?"


def missing(breakdown: EnergyBreakdown) -> list[str]:
    """What was counted and has no price, in words."""
    return [SPOKEN[name] for name, count in breakdown.unpriced.items() if count]
