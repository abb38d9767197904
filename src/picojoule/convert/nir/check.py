"""Whether a graph's nodes and edges are what NIR says, before anything is made of them."""

from __future__ import annotations

from typing import Any

import nir

from picojoule.convert.nir.fields import KINDS, check_fields, unreadable


def check_graph(source: str, graph: nir.NIRGraph, prefix: str = "") -> None:
    """Raise ValueError if a node's field, or an edge, is not as it should be; the message names it.

    Nodes of types without a layer are passed over.
    """
    for name, node in graph.nodes.items():
        where = f"{source}node {prefix + str(name)!r} ({type(node).__name__})"
        if isinstance(node, nir.NIRGraph):
            check_graph(source, node, f"{prefix}{name}.")
        elif type(node).__name__ in KINDS:
            check_fields(where, type(node).__name__, _fields(node))
        elif not isinstance(node, nir.NIRNode):
            raise unreadable(where, "is no node of NIR's", "Put one in its place.")
    place = f"{source}graph {prefix[:-1]!r}" if prefix else f"{source}the graph"
    for edge in graph.edges:
        if not (isinstance(edge, tuple | list) and len(edge) == 2):
            raise unreadable(place, f"has an edge {edge!r}, expected a pair of names")
        for end in edge:
            if end not in graph.nodes:
                raise unreadable(
                    place,
                    f"has an edge {tuple(edge)} to or from {end!r}, which is none of its nodes {list(graph.nodes)[:10]}",
                    "The file is damaged, or a node was renamed.",
                )


def _fields(node: nir.NIRNode) -> dict[str, Any]:
    kind = type(node).__name__
    if kind in ("Input", "Output"):
        shape = (getattr(node, f"{kind.lower()}_type") or {}).get(kind.lower())
        return {"shape": () if shape is None else shape}
    held = {name: getattr(node, name, None) for name in KINDS[kind].fields}
    if kind == "Flatten":
        held["input_type"] = (node.input_type or {}).get("input")
    return held
