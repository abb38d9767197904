"""What a network has spent so far, and the report of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from picojoule.events.delivered import Delivered
from picojoule.events.graph import EventGraph, Stage
from picojoule.events.plan import Edge, StagePlan
from picojoule.events.states import StageStates
from picojoule.plots import RateHistogram
from picojoule.report import Report
from picojoule.report.record import InputTensor, versions_here
from picojoule.report.row import Row
from picojoule.synops.rates import silent_share
from picojoule.synops.watch.count import Weights


@dataclass
class Tally:
    """Sums over all calls since the count began.

    Args:
        synops: by weighted layer, what spikes of neurons delivered.
        of_input: the same of what came in.
        whole: whether the input held whole numbers only, so spikes.
        samples: samples times calls.
        sample_steps: samples times time steps.
        shape: of the first input, as it came; None if it came step by step.
    """

    synops: dict[str, float] = field(default_factory=dict)
    of_input: dict[str, float] = field(default_factory=dict)
    whole: bool = True
    samples: int = 0
    sample_steps: int = 0
    shape: tuple[int, ...] | None = None

    def note_shape(self, shape: Sequence[int]) -> None:
        """The shape of a call's input."""
        if self.shape is None:
            self.shape = tuple(shape)

    def inputs(self, graph: EventGraph) -> tuple[InputTensor, ...]:
        """What the network was given: spikes, if all of it was whole numbers, where it arrives at weights."""
        if not self.samples:
            return ()
        shape = self.shape or graph.input_shape(self.samples, self.sample_steps // self.samples)
        terms = (term for stage in graph.stages for term in stage.terms)
        if not any(term.source == 0 and term.layer is not None for term in terms):
            return (InputTensor(shape),)
        return (InputTensor(shape, "spikes" if self.whole else "dense"),)

    def add(self, found: Delivered) -> None:
        """One call more; its samples and steps are counted by who made it."""
        for sums, counts in ((self.synops, found.of_spikes), (self.of_input, found.of_input)):
            totals = torch.stack([*counts.values()]).sum((1, 2)).tolist() if counts else []
            for path, total in zip(counts, totals, strict=True):
                sums[path] = sums.get(path, 0.0) + total
        self.whole &= found.whole

    def of(self, path: str) -> float:
        """SynOps of a weighted layer: values that came in made MACs there."""
        return self.synops.get(path, 0.0) + (self.of_input.get(path, 0.0) if self.whole else 0.0)


def report_of(
    graph: EventGraph,
    plans: list[StagePlan],
    states: list[StageStates],
    tally: Tally,
    weights: Weights,
) -> Report:
    """The same report as a Monitor's, of events that were delivered."""
    rows: dict[str, Row] = {}
    steps = tally.sample_steps / max(tally.samples, 1)
    for stage, plan, own in zip(graph.stages, plans, states, strict=True):
        for row in _of_stage(graph, stage, plan, own, tally, steps):
            rows[row.name] = _again(rows[row.name], row) if row.name in rows else row
    updates = sum(row.neuron_updates_per_sample or 0.0 for row in rows.values())
    return Report(
        model=graph.model,
        rows=tuple(rows.values()),
        samples=tally.samples,
        num_timesteps=steps,
        neuron_updates_per_sample=updates,
        biases_per_sample=sum(_biases(stage) for stage in graph.stages) * steps,
        weights=weights,
        inputs=tally.inputs(graph),
        versions=versions_here(),
        rate_histograms={
            stage.name: RateHistogram.of(_rates(own, tally))
            for stage, own in zip(graph.stages, states, strict=True)
            if stage.neuron is not None and stage.signal.is_spikes
        },
    )


def _of_stage(
    graph: EventGraph, stage: Stage, plan: StagePlan, own: StageStates, tally: Tally, steps: float
) -> list[Row]:
    by_call: dict[str, Row] = {}  # a sum that arrives is one call over several bundles
    for term, edge in zip(stage.terms, plan.edges, strict=True):
        if term.layer is not None:
            spikes = graph.signal(term.source).is_spikes or (term.source == 0 and tally.whole)
            by_call[term.call] = _weighted(edge, term.layer, tally, steps, is_spikes=spikes)
    found: dict[str, Row] = {}
    for row in by_call.values():
        found[row.name] = _again(found[row.name], row) if row.name in found else row
    if plan.recurrent is not None and stage.neuron is not None:
        connect = stage.neuron._modules["rec_connect"]
        found[plan.recurrent.path] = _weighted(
            plan.recurrent, connect, tally, steps, is_spikes=True
        )
    if stage.neuron is not None:
        found[stage.name] = _neurons(stage, own, tally, steps)
    return list(found.values())


def _weighted(edge: Edge, layer: Any, tally: Tally, steps: float, *, is_spikes: bool) -> Row:
    one_pass = float(edge.fan_before.sum(dtype=torch.float64))
    total = tally.of(edge.path)
    per_step = total / max(tally.sample_steps, 1)
    return Row(
        name=edge.path,
        kind=type(layer).__name__,
        synops_per_timestep=per_step if is_spikes else 0.0,
        synops_per_sample=total / max(tally.samples, 1) if is_spikes else 0.0,
        macs_per_sample=0.0 if is_spikes else one_pass * steps,
        macs_one_pass=one_pass,
        spikes_per_synapse=per_step / one_pass if is_spikes and one_pass else None,
    )


def _neurons(stage: Stage, own: StageStates, tally: Tally, steps: float) -> Row:
    rates = _rates(own, tally)
    spikes = stage.signal.is_spikes
    return Row(
        name=stage.name,
        kind=type(stage.neuron).__name__,
        neurons=stage.signal.neurons if spikes else None,
        firing_rate=rates.mean().item() if spikes else None,
        silent_share=silent_share(rates) if spikes else None,
        neuron_updates_per_sample=stage.signal.neurons * steps,
    )


def _rates(own: StageStates, tally: Tally) -> Tensor:
    """Spikes per neuron and time step, `*n`."""
    return own.fired_by_neuron / max(tally.sample_steps, 1)


def _again(first: Row, second: Row) -> Row:
    """A layer that is called twice: its SynOps are in both already, its synapses are met anew."""
    one_pass = (first.macs_one_pass or 0.0) + (second.macs_one_pass or 0.0)
    most = max(first, second, key=lambda row: row.synops_per_timestep or 0.0)
    total = most.synops_per_timestep or 0.0
    both = first.spikes_per_synapse, second.spikes_per_synapse
    synapses = sum(total / each for each in both if each)  # those that take values have no spikes
    return replace(
        most,
        macs_per_sample=(first.macs_per_sample or 0.0) + (second.macs_per_sample or 0.0),
        macs_one_pass=one_pass,
        spikes_per_synapse=total / synapses if synapses else most.spikes_per_synapse,
    )


def _biases(stage: Stage) -> float:
    """Additions of the weighted layers' biases in a step."""
    layers = {term.call: term.layer for term in stage.terms if term.layer is not None}
    own = sum(
        stage.signal.neurons
        for layer in layers.values()
        if getattr(layer, "bias", None) is not None
    )
    connect = None if stage.neuron is None else stage.neuron._modules.get("rec_connect")
    return float(own + (stage.signal.neurons if getattr(connect, "bias", None) is not None else 0))
