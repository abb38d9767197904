"""What is worked out once for each stage of a network, whatever the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from torch import Tensor

from picojoule.events.graph import EventGraph
from picojoule.events.neurons import Neurons, neurons_of, recurrent_term
from picojoule.events.synapses import Synapses, fan_before_weights, synapses
from picojoule.synops.watch.count import Weights


class Edge(NamedTuple):
    """A bundle of synapses.

    Attributes:
        synapses: its tables.
        path: name of the weighted layer; "" for none.
        source: index of the signal that arrives.
        fan_before: synapses of what arrives at the weights, `*n`, for dense sequences.
    """

    synapses: Synapses
    path: str
    source: int
    fan_before: Tensor


@dataclass(frozen=True)
class StagePlan:
    """A stage as the kernels have it.

    Args:
        neurons: its neurons.
        edges: its synapses.
        bias: what arrives in every step, `n`.
        num_rows: rows of neurons that are contiguous in memory.
        recurrent: the synapses from the stage to itself.
        recurrent_bias: what these add in every step, `n`.
    """

    neurons: Neurons
    edges: tuple[Edge, ...]
    bias: Tensor | None
    num_rows: int
    recurrent: Edge | None = None
    recurrent_bias: Tensor | None = None

    @property
    def all_edges(self) -> list[Edge]:
        """Its synapses, the recurrent ones last."""
        return [*self.edges, *([] if self.recurrent is None else [self.recurrent])]


def check_weights(where: str, weights: object) -> None:
    """Raise ValueError unless it is a word for what SynOps are counted by; `where` starts the message."""
    if weights not in get_args(Weights):
        raise ValueError(f"{where}: weights is {weights!r}, expected 'all' or 'nonzero'.")


def plan_stage(graph: EventGraph, index: int, counted: Weights = "all") -> StagePlan:
    """The plan of the stage of that index; `counted` "nonzero" takes weights of zero for no synapses."""
    stage, own = graph.stages[index], index + 1
    neurons = neurons_of(stage)
    edges = tuple(
        Edge(
            synapses(
                term,
                graph.signal(term.source),
                stage.signal,
                neurons.gain,
                takes_largest=stage.takes_largest,
                counted=counted,
            ),
            term.path,
            term.source,
            fan_before_weights(term, stage.signal, counted),
        )
        for term in stage.terms
    )
    bias = None if stage.bias is None else stage.signal.per_neuron(stage.bias)
    back = recurrent_term(stage, own)
    if back is None:
        return StagePlan(neurons, edges, bias, edges[0].synapses.num_rows)
    layer: Any = back.layer
    to_itself = Edge(
        synapses(back, stage.signal, stage.signal, counted=counted),
        back.path,
        own,
        fan_before_weights(back, stage.signal, counted),
    )
    own_bias = None if layer.bias is None else layer.bias.detach().clone()
    return StagePlan(neurons, edges, bias, edges[0].synapses.num_rows, to_itself, own_bias)
