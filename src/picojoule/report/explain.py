"""Where the conventions differ for a model, and why, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from picojoule.report.conventions import CONVENTIONS, ConventionCount, convention_count
from picojoule.report.document import count
from picojoule.report.record import Record
from picojoule.report.rendering.words import one_line
from picojoule.report.several_products import counts_nothing, left_out

_SAME = 1e-6  # counts are added in float64 and told in float32

_BORDER = "products with the padded border count"
_UNEVEN = "every synapse is given the mean input, wherever the spikes are"
_BIASES = "biases count"

# what makes a convention's number of a layer differ, by a fact of the layer; "" always holds
_OF_SPIKES: dict[str, dict[str, str]] = {
    "sinabs": {"weights": "pruned weights count", "": "both operands count by magnitude"},
    "neurobench": {
        "pooled": "pooled or scaled spikes are no longer 0 or 1, so all its operations are MACs",
        "graded": "values other than -1, 0 and 1 turn all its operations into MACs, one a value",
        "pruned": "pruned weights are left out",
    },
    "syops": {
        "pooled": "pooled or scaled spikes count by their value, or as MACs if they take more than two values",
        "graded": "input of more than two values, or outside 0..1, makes it dense MACs",
        "border": _BORDER,
        "bias": _BIASES,
        "uneven": _UNEVEN,
        "weights": "pruned weights count",
    },
    "spikingjelly": {
        "pooled": "pooled or scaled spikes are not 0 or 1, so it counts nothing",
        "graded": "values other than 0 and 1 make it count nothing",
        "signed": "negative spikes make it count nothing",
        "weights": "pruned weights count",
    },
    "rate_flops": {
        "pooled": "pooled or scaled spikes count by their value",
        "border": _BORDER,
        "uneven": _UNEVEN,
        "weights": "pruned weights count",
        "": "the mean input of one operand stands for all",
    },
}
_OF_DENSE: dict[str, dict[str, str]] = {
    "sinabs": {"": "its dense input counts by magnitude, as if it were spikes"},
    "neurobench": {
        "pruned": "pruned weights are left out",
        "": "of dense input the non-zero values count",
    },
    "syops": {
        "border": _BORDER,
        "bias": _BIASES,
        "weights": "pruned weights count",
    },
    "spikingjelly": {"": "weights that are all 0 or 1 make dense input count as spikes"},
    "rate_flops": {"border": _BORDER, "weights": "pruned weights count"},
}


def explain(record: Record) -> str:
    """One paragraph a convention: its numbers beside the strict ones, and why they differ."""
    strict = convention_count(record, "strict")
    paragraphs = [
        f"strict ({CONVENTIONS['strict']}): {_numbers(strict)} per sample.",
        *(
            "\n".join(_paragraph(record, convention_count(record, name), strict))
            for name in CONVENTIONS
            if name != "strict"
        ),
    ]
    return "\n\n".join(paragraphs)


def _paragraph(record: Record, other: ConventionCount, strict: ConventionCount) -> Iterator[str]:
    name = other.convention
    numbers = f"{_numbers(other)} per sample{_relative(other, strict)}"
    yield f"{name} ({CONVENTIONS[name]}): {numbers}."
    for layer in strict.synops:
        if layer not in other.synops:
            yield f"- {_label(record, layer)}: {left_out(name, _kind(record, layer))}. No number is given here."
            continue
        ours, theirs = _compared(strict, layer, name), _compared(other, layer, name)
        if any(abs(a - b) > _SAME * max(a, b) for a, b in zip(ours, theirs, strict=True)):
            yield f"- {_label(record, layer)}: {_pair(*theirs)} instead of {_pair(*ours)}: {_why(record, strict, other, layer)}."


def _compared(counts: ConventionCount, layer: str, convention: str) -> tuple[float, ...]:
    numbers = counts.synops[layer], counts.macs[layer]
    return numbers[:1] if convention == "spikingjelly" else numbers


def _kind(record: Record, layer: str) -> str:
    return next((row.kind for row in record.rows if row.name == layer), "")


def _label(record: Record, layer: str) -> str:
    return one_line(next((row.label for row in record.rows if row.name == layer), layer))


def _why(record: Record, strict: ConventionCount, other: ConventionCount, layer: str) -> str:
    convention = other.convention
    unseen = counts_nothing(convention, _kind(record, layer))
    if unseen is not None:
        return unseen
    facts = set(record.conventions.facts.get(layer, frozenset()))
    if f"unseen by {convention}" in facts:
        return f"{convention} does not see this kind of layer or call"
    if record.weights == "nonzero" and "pruned" in facts:  # the strict count has left them out
        facts = facts - {"pruned"} | {"weights"}
    if "pooled" in facts:
        facts -= {"graded"}
    if not other.synops[layer]:
        facts -= {"uneven"}
    reasons: list[str] = []
    if strict.macs[layer]:
        reasons += _holding(_OF_DENSE[convention], facts)
    if strict.synops[layer]:
        reasons += _holding(_OF_SPIKES[convention], facts)
    return "; ".join(dict.fromkeys(reasons)) or "it sees spikes where the strict count sees none"


def _holding(reasons: dict[str, str], facts: set[str]) -> list[str]:
    """The reasons for these facts; if there are none, the one that always holds."""
    return [why for fact, why in reasons.items() if fact in facts] or list(
        filter(None, [reasons.get("")])
    )


def _relative(other: ConventionCount, strict: ConventionCount) -> str:
    if not strict.synops_per_sample:
        return ""
    return f", {other.synops_per_sample / strict.synops_per_sample - 1:+.1%} SynOps"


def _numbers(counts: ConventionCount) -> str:
    macs = None if counts.convention == "spikingjelly" else counts.macs_per_sample
    return _pair(counts.synops_per_sample, macs)


def _pair(synops: float, macs: float | None = None) -> str:
    return f"{count(synops)} SynOps" + ("" if macs is None else f" and {count(macs)} MACs")
