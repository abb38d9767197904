"""A report as tables and notes of plain words, whatever they will be written in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from picojoule.report.record import Record
from picojoule.report.row import Row

SPREAD = "± sd: the standard deviation over the samples (n - 1)."


@dataclass(frozen=True)
class Table:
    """Cells by row.

    Args:
        title: what it shows.
        headings: of the columns.
        words: how many columns at the left are words; the others are numbers.
        rows: the cells.
        total: the last row, set apart; None if there is none.
        notes: sentences on what is in it and what is not, with sources.
    """

    title: str
    headings: tuple[str, ...]
    words: int
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """Tables, each with its notes, and warnings above."""

    tables: tuple[Table, ...]
    warnings: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of all tables, each once."""
        return tuple(dict.fromkeys(note for table in self.tables for note in table.notes))


def document(record: Record) -> Document:
    """The report's tables."""
    tables = [_synapses(record)]
    neurons = [row for row in record.rows if row.synops_per_sample is None]
    if neurons:
        tables.append(_neurons(neurons))
    return Document((*tables, _apart(record)), record.warnings)


def _synapses(record: Record) -> Table:
    cells = tuple(
        (
            row.name or "(model)",
            row.kind,
            row.input or "",
            _rate(row.spikes_per_synapse),
            count(row.synops_per_timestep),
            _with_sd(row.synops_per_sample, row.synops_per_sample_sd),
            count(row.macs_per_sample),
        )
        for row in record.rows
        if row.synops_per_sample is not None
    )
    spread = _has_spread(record)
    return Table(
        title=f"{record.model}: operations, mean over {samples_in_words(record)}",
        headings=(
            "layer",
            "kind",
            "input",
            "spikes/synapse/step",
            "SynOps/step",
            f"SynOps/sample{' ± sd' if spread else ''}",
            "MACs/sample",
        ),
        words=3,
        rows=cells,
        total=(
            *("total", "", "", ""),
            count(record.synops_per_timestep),
            _with_sd(record.synops_per_sample, record.synops_per_sample_sd),
            count(record.macs_per_sample),
        ),
        notes=_notes(record),
    )


def samples_in_words(record: Record) -> str:
    """What the numbers are a mean over.

    Example:
        >>> samples_in_words(Record(model="Net", rows=(), samples=1, num_timesteps=10))
        '1 sample of 10 time steps'
    """
    samples = f"{record.samples} sample{'s' if record.samples != 1 else ''}"
    steps = f"{record.num_timesteps:g} time step{'s' if record.num_timesteps != 1 else ''}"
    return f"{samples} of {steps}"


def _has_spread(record: Record) -> bool:
    return any(row.synops_per_sample_sd is not None for row in record.rows)


def _neurons(rows: list[Row]) -> Table:
    return Table(
        title="Neurons",
        headings=("layer", "kind", "neurons", "spikes/neuron/step", "silent"),
        words=2,
        rows=tuple(
            (
                row.name or "(model)",
                row.kind,
                count(row.neurons),
                _rate(row.firing_rate),
                "" if row.silent_share is None else f"{row.silent_share:.1%}",
            )
            for row in rows
        ),
    )


def _apart(record: Record) -> Table:
    return Table(
        title="Counted apart, in none of the numbers above",
        headings=("operation", "per sample"),
        words=1,
        rows=(
            ("neuron updates", count(record.neuron_updates_per_sample)),
            ("additions of biases", count(record.biases_per_sample)),
        ),
    )


def _notes(record: Record) -> tuple[str, ...]:
    notes = []
    if record.counted_by == "sinabs":
        notes.append("Counted by the convention of sinabs: dense values by their magnitude.")
    dense = [row.label for row in record.rows if row.macs_per_sample]
    if dense:
        notes.append(
            f"Dense input: {', '.join(dense)}. These products of dense values are MACs, not SynOps."
        )
    if _has_spread(record):
        notes.append(SPREAD)
    return tuple(notes)


def count(value: float | None) -> str:
    """A number of operations: whole above 100, with commas.

    Example:
        >>> count(1234567.8), count(12.3456), count(None)
        ('1,234,568', '12.35', '')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.4g}"


def _with_sd(mean: float | None, sd: float | None) -> str:
    return count(mean) if sd is None else f"{count(mean)} ± {count(sd)}"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
