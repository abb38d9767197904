"""How a count was made, as a paragraph for the methods section of a paper."""

from __future__ import annotations

from collections.abc import Iterator

from picojoule.energy import EnergyBreakdown, EnergyProfile
from picojoule.energy.breakdown import SPOKEN, joules
from picojoule.energy.joules import BYTES_PER_MAC, BYTES_PER_SYNOP
from picojoule.report.document import count, samples_in_words
from picojoule.report.priced import Profiles, chosen, whole_energy
from picojoule.report.record import Record
from picojoule.report.rendering.words import one_line

_STRICT = (
    "One SynOp is one spike that arrives at one existing synapse: a graded spike counts as its absolute value, and padded "
    "borders and biases are no synapses. Products of dense values are counted apart, as multiply-accumulate operations (MACs)."
)
_CONVENTIONS = {
    "strict": _STRICT,
    "sinabs": (
        "One SynOp is one spike that arrives at one existing synapse: a graded spike counts as its absolute value, and padded "
        "borders and biases are no synapses. Dense values count by their magnitude, too, which is the convention of sinabs 3.1.3."
    ),
}
_WEIGHTS = {
    "all": "All weights count as synapses, those of value zero included.",
    "nonzero": "Weights of value zero count as no synapses.",
}
_MODELLED = (
    "Energies are modelled, as the counted operations times published energies per operation; nothing was measured on a "
    "device."
)
_TRAFFIC = (
    f"Memory traffic was assumed, not measured: {BYTES_PER_SYNOP:g} bytes a SynOp (an 8-bit weight read, a 16-bit potential "
    f"read and written) and {BYTES_PER_MAC:g} byte a MAC."
)


def methods_text(record: Record, profile: Profiles | None) -> str:
    """The paragraph, and below it, if there is any, what its author has to settle before it is printed."""
    profiles = chosen(profile)
    sentences = [*_counting(record), *_numbers(record), *_left_out(record)]
    if profiles:
        sentences.append(_MODELLED)
    for each in profiles:
        sentences += _energy(record, each)
    paragraphs = [" ".join(sentences)]
    doubts = [*_doubts(record, profiles)]
    if doubts:
        paragraphs.append(f"To settle before this is printed: {' '.join(doubts)}")
    return "\n\n".join(map(one_line, paragraphs))


def _counting(record: Record) -> Iterator[str]:
    made_with = {"picojoule": "Picojoule", "torch": "PyTorch"}
    versions = [f"{made_with.get(name, name)} {v}" for name, v in record.versions.items()]
    with_what = _and(versions) or "Picojoule"
    yield f"Synaptic operations (SynOps) of the network ({record.model}) were counted while it ran, with {with_what}."
    yield _CONVENTIONS[record.counted_by]
    yield _WEIGHTS[record.weights]
    if len(record.inputs) == 1:
        yield f"The input was of shape {record.inputs[0]}."
    elif record.inputs:
        yield f"The inputs were of shapes {'; '.join(map(str, record.inputs))}."


def _numbers(record: Record) -> Iterator[str]:
    spread = record.synops_per_sample_sd
    words = f"All numbers are means over {samples_in_words(record)}"
    if record.samples == 1:
        words = f"All numbers are of {samples_in_words(record)}, so they have no spread"
    synops = f"{count(record.synops_per_sample)} SynOps"
    if spread is not None:
        synops = f"{count(record.synops_per_sample)} ± {count(spread)} SynOps (mean ± standard deviation over the samples, n - 1)"
    macs = f" and {count(record.macs_per_sample)} MACs" if record.macs_per_sample else ""
    yield f"{words}: {synops}{macs} per sample."
    dense = [row.label for row in record.rows if row.macs_per_sample]
    if dense:
        yield f"The MACs are those of {_and(dense)}, where dense values arrive."


def _left_out(record: Record) -> Iterator[str]:
    others = {
        "additions of biases": record.biases_per_sample,
        "neuron updates": record.neuron_updates_per_sample,
    }
    apart = [f"{count(number)} {what}" for what, number in others.items() if number]
    if apart:
        yield f"Not among these operations are {_and(apart)} per sample."
    if record.ignored:
        yield f"Left out of the count, with all that they contain: {_and([*map(repr, record.ignored)])}."


def _energy(record: Record, profile: EnergyProfile) -> Iterator[str]:
    """Joules on one profile, whose figures they are, what is in them and what is not."""
    breakdown = whole_energy(record, profile).breakdown
    missing = [
        f"{count(float(n))} {SPOKEN[what]}" for what, n in breakdown.unpriced.items() if float(n)
    ]
    without = f", without {_and(missing)}, for which the source has no figure" if missing else ""
    parts = _and(_parts(breakdown))
    yield f"On {profile.name} the network takes {joules(float(breakdown.total_j))} per sample ({parts}){without}."
    note = f"; {profile.note}" if profile.note else ""
    yield (
        f"The figures of {profile.name} are from {profile.source} ({profile.grade()}{note}); they include: "
        f"{profile.includes}."
    )
    if profile.memory_j_per_byte is not None:
        yield _TRAFFIC
    elif profile.arithmetic_only:
        yield "Memory traffic is not in this energy."
    yield from _zero_weights(record, profile)


def _parts(breakdown: EnergyBreakdown) -> list[str]:
    parts = {
        "SynOps": breakdown.synops_j,
        "MACs": breakdown.macs_j,
        "neuron updates": breakdown.neuron_updates_j,
        "memory": breakdown.memory_j,
    }
    found = [f"{what} {joules(float(j))}" for what, j in parts.items() if j is not None and j]
    return found or ["no operation with a price"]


def _zero_weights(record: Record, profile: EnergyProfile) -> Iterator[str]:
    """Where what was counted is not what the chip does, or nobody knows."""
    skips, name = profile.skips_zero_weights, profile.name
    if record.weights == "all" and skips:
        yield f"{name} skips weights of value zero, which are counted here."
    if record.weights == "nonzero" and skips is None:
        yield f"Whether {name} skips weights of value zero, as is assumed here, its source does not say."
    if record.weights == "nonzero" and skips is False:
        yield f"{name} spends on weights of value zero, which are not counted here."


def _doubts(record: Record, profiles: tuple[EnergyProfile, ...]) -> Iterator[str]:
    if not record.inputs:
        yield "what the input was is not recorded; say it."
    for profile in profiles:
        if not profile.verified:
            yield f"a figure of {profile.name} is recalled, not read in its source; read it."
    yield from record.warnings


def _and(words: list[str]) -> str:
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last
