"""What `print(network.plan)` shows: how each layer runs, and why."""

from __future__ import annotations

import math

from picojoule.events.engine import Engine
from picojoule.events.graph import EventGraph, Stage
from picojoule.events.kernels.tables import COMPRESSED, DENSE, DIRECT
from picojoule.events.plan import Edge, StagePlan
from picojoule.events.program import NEVER

_NEURONS = {
    "touched": "looks at neurons that were reached",
    "stepped": "all neurons take each step",
    "passing": "adds up what arrives",
}
_SYNAPSES = {DENSE: "rows", COMPRESSED: "nonzero weights alone", DIRECT: "no weights"}


def plan_table(graph: EventGraph, plans: list[StagePlan], engines: list[Engine]) -> str:
    """One line a stage."""
    rows = [("layer", "neurons", "layout", "kernel", "synapses", "dense from")]
    for k, (stage, plan) in enumerate(zip(graph.stages, plans, strict=True)):
        rows.append(
            (
                stage.name,
                f"{stage.signal.neurons:,}",
                _layout(stage),
                _kernel(stage, plan),
                ", ".join(_synapses(edge, k, engines) for edge in plan.all_edges),
                _dense_from(plan, k, engines),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _layout(stage: Stage) -> str:
    return " x ".join(str(size) for size in (*stage.signal.sizes, stage.signal.channels))


def _kernel(stage: Stage, plan: StagePlan) -> str:
    if stage.takes_largest:
        return "takes the largest of a window"
    if plan.neurons.is_whole:
        return f"{_NEURONS['touched']}, in whole numbers of {plan.neurons.state_bits} bits"
    return _NEURONS[plan.neurons.kernel] + _why(stage, plan)


def _why(stage: Stage, plan: StagePlan) -> str:
    neuron = plan.neurons.plan
    if plan.neurons.kernel != "stepped" or neuron is None:
        return ""
    reasons = {
        "it has a synaptic current": neuron.synaptic,
        "it adapts": neuron.adaptive,
        "it hears itself": neuron.stepped,
        "it never fires": neuron.spike == "none",
        "there is a bias": stage.bias is not None,
        "its neurons differ": not neuron.shared,
    }
    return f" ({next((reason for reason, holds in reasons.items() if holds), 'its potential may rise by itself')})"


def _synapses(edge: Edge, number: int, engines: list[Engine]) -> str:
    kind = _SYNAPSES.get(edge.synapses.kind, "no weights")
    if edge.synapses.patterns is not None and engines:
        spikes = int(engines[-1].patterns_from[number])
        kind += f"; sums of patterns from {spikes:,} spikes of a step on" if spikes < NEVER else ""
    return f"{edge.path}: {kind}" if edge.path else kind


def _dense_from(plan: StagePlan, number: int, engines: list[Engine]) -> str:
    """The activity, in spikes per synapse and step, of the size that ran last."""
    synapses = sum(float(edge.fan_before.sum()) for edge in plan.edges)
    if not engines or synapses == 0:
        return "-"
    limit = float(engines[-1].limits[number]) / engines[-1].steps / synapses
    return "never" if math.isinf(limit) or limit > 1 else f"{limit:.1%}"
