"""A NIR graph without subgraphs, its recurrent neurons as one node each, in the order to compute."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import nir

NEURONS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI")
FEEDBACK = ("Linear", "Affine")


@dataclass(frozen=True)
class Recurrent:
    """A neuron and the linear map from its output back to its input."""

    neuron: nir.NIRNode
    feedback: nir.NIRNode


@dataclass
class Plan:
    """Nodes by name in the order to compute, and for each the names whose outputs it sums."""

    nodes: dict[str, nir.NIRNode | Recurrent]
    sources: dict[str, list[str]]


def plan_of(graph: nir.NIRGraph) -> Plan:
    """What to compute, one node after the other.

    Raises:
        NotImplementedError: a cycle is not a neuron with a linear feedback, or there is not exactly one input
            and one output.
    """
    nodes, edges = _without_subgraphs(graph)
    for kind in ("Input", "Output"):
        ends = [name for name, node in nodes.items() if type(node).__name__ == kind]
        if len(ends) != 1:
            raise NotImplementedError(
                f"from_nir: the graph has {kind} nodes {ends}, expected exactly one."
            )
    folded = _with_feedback_folded(nodes, edges)
    sources = {name: [a for a, b in edges if b == name] for name in folded}
    try:
        order = list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise NotImplementedError(
            f"from_nir: nodes {error.args[1][:-1]} form a cycle. Only a neuron (IF, LIF, CubaLIF) with one "
            "Linear or Affine from its output back to it can be read."
        ) from error
    return Plan({name: folded[name] for name in order}, sources)


def _without_subgraphs(
    graph: nir.NIRGraph, prefix: str = ""
) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    nodes: dict[str, nir.NIRNode] = {}
    edges = [(prefix + a, prefix + b) for a, b in dict.fromkeys(map(tuple, graph.edges))]
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[prefix + name] = node
            continue
        path = f"{prefix}{name}"
        inner, inner_edges = _without_subgraphs(node, f"{path}.")
        entry = [n for n, x in inner.items() if type(x).__name__ == "Input"]
        leave = [n for n, x in inner.items() if type(x).__name__ == "Output"]
        into = [(a, n) for a, b in edges if b == path for n in entry]
        out_of = [(n, b) for a, b in edges if a == path for n in leave]
        edges = [edge for edge in edges if path not in edge] + into + inner_edges + out_of
        nodes |= inner
        for end in (*entry, *leave):
            edges = _bridged(edges, end)
            del nodes[end]
    return nodes, edges


def _bridged(edges: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    """The edges with a node left out and its neighbours joined."""
    before = [a for a, b in edges if b == name]
    after = [b for a, b in edges if a == name]
    return [e for e in edges if name not in e] + [(a, b) for a in before for b in after]


def _with_feedback_folded(
    nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]]
) -> dict[str, nir.NIRNode | Recurrent]:
    """Nodes with each neuron and its feedback as one; their edges are taken off the list."""
    folded: dict[str, nir.NIRNode | Recurrent] = dict(nodes)
    for name, node in nodes.items():
        before = [a for a, b in edges if b == name]
        after = [b for a, b in edges if a == name]
        if type(node).__name__ not in FEEDBACK or before != after or len(before) != 1:
            continue
        neuron = folded[before[0]]
        if type(neuron).__name__ in NEURONS and isinstance(neuron, nir.NIRNode):
            folded[before[0]] = Recurrent(neuron, node)
            del folded[name]
            edges[:] = [edge for edge in edges if name not in edge]
    return folded
