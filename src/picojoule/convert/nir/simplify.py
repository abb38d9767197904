"""A NIR graph without subgraphs, its recurrent neurons as one node each, in the order to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import nir

from picojoule.convert.nir.fields import unreadable
from picojoule.convert.nir.shapes import check_shapes

NEURONS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI")
FEEDBACK = ("Linear", "Affine")


@dataclass(frozen=True)
class Recurrent:
    """A neuron and the linear map from its output back to its input."""

    neuron: nir.NIRNode
    feedback: nir.NIRNode


@dataclass
class NirPlan:
    """Nodes by name in the order to compute, and for each the names whose outputs it sums."""

    nodes: dict[str, nir.NIRNode | Recurrent]
    sources: dict[str, list[str]]


def plan_of(graph: nir.NIRGraph, source: str = "") -> NirPlan:
    """What to compute, one node after the other.

    Raises:
        NotImplementedError: a cycle is not a neuron with a linear feedback, or the graph or a subgraph has several inputs or outputs.
        ValueError: there is no input or output, a node lacks an edge to or from it, or the shapes of two do not fit.
    """
    nodes, edges = _without_subgraphs(graph, source)
    for kind in ("Input", "Output"):
        ends = [name for name, node in nodes.items() if type(node).__name__ == kind]
        if len(ends) != 1:
            fault = NotImplementedError if ends else ValueError
            raise fault(
                f"from_nir: {source}the graph has {kind} nodes {ends}, expected exactly one."
            )
    folded = _with_feedback_folded(nodes, edges)
    sources: dict[str, list[str]] = {name: [] for name in folded}
    for before, after in edges:
        sources[after].append(before)
    try:
        order = list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise NotImplementedError(
            f"from_nir: {source}nodes {error.args[1][:-1]} form a cycle. Only a neuron (IF, LIF, CubaLIF) with one "
            "Linear or Affine from its output back to it can be read."
        ) from error
    _check_connected(source, folded, sources)
    check_shapes(source, folded, sources)
    return NirPlan({name: folded[name] for name in order}, sources)


def _check_connected(
    source: str, nodes: Mapping[str, nir.NIRNode | Recurrent], sources: dict[str, list[str]]
) -> None:
    used = {before for names in sources.values() for before in names}
    deaf = [name for name, node in nodes.items() if not sources[name] and not _is(node, "Input")]
    mute = [name for name, node in nodes.items() if name not in used and not _is(node, "Output")]
    faults = {"gets no input": (deaf, "to"), "gives its output to nobody": (mute, "from")}
    for fault, (names, way) in faults.items():
        for name in names:
            where = f"{source}node {name!r} ({type(nodes[name]).__name__})"
            raise unreadable(where, fault, f"The graph lacks an edge {way} it.")


def _is(node: nir.NIRNode | Recurrent, kind: str) -> bool:
    return type(node).__name__ == kind


def _without_subgraphs(
    graph: nir.NIRGraph, source: str, prefix: str = ""
) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    nodes: dict[str, nir.NIRNode] = {}
    edges = [(prefix + a, prefix + b) for a, b in dict.fromkeys(map(tuple, graph.edges))]
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[prefix + name] = node
            continue
        path = f"{prefix}{name}"
        inner, inner_edges = _without_subgraphs(node, source, f"{path}.")
        entry = [n for n, x in inner.items() if type(x).__name__ == "Input"]
        leave = [n for n, x in inner.items() if type(x).__name__ == "Output"]
        for kind, ends in (("Input", entry), ("Output", leave)):
            if len(ends) > 1:
                raise NotImplementedError(
                    f"from_nir: {source}subgraph {path!r} has {kind} nodes {ends}, and an edge to or from it does not say which it "
                    "means. Write its nodes into the graph around it, or split it into subgraphs of one input and one output."
                )
        into = [(a, n) for a, b in edges if b == path for n in entry]
        out_of = [(n, b) for a, b in edges if a == path for n in leave]
        edges = [edge for edge in edges if path not in edge] + into + inner_edges + out_of
        nodes |= inner
        for end in (*entry, *leave):
            edges = bridged(edges, end)
            del nodes[end]
    return nodes, edges


def bridged(edges: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    """The edges with a node left out and its neighbours joined."""
    before = [a for a, b in edges if b == name]
    after = [b for a, b in edges if a == name]
    return [e for e in edges if name not in e] + [(a, b) for a in before for b in after]


def _with_feedback_folded(
    nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]]
) -> dict[str, nir.NIRNode | Recurrent]:
    """Nodes with each neuron and its feedback as one; their edges are taken off the list."""
    before: dict[str, list[str]] = {name: [] for name in nodes}
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)
    folded: dict[str, nir.NIRNode | Recurrent] = dict(nodes)
    taken: set[str] = set()
    for name, node in nodes.items():
        if type(node).__name__ not in FEEDBACK or before[name] != after[name]:
            continue
        if len(before[name]) != 1:
            continue
        neuron = folded[before[name][0]]
        if type(neuron).__name__ in NEURONS and isinstance(neuron, nir.NIRNode):
            folded[before[name][0]] = Recurrent(neuron, node)
            taken.add(name)
            del folded[name]
    edges[:] = [(a, b) for a, b in edges if a not in taken and b not in taken]
    return folded
