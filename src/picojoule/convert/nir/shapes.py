"""Which shapes nodes take and give, as far as their fields tell, and whether neighbours fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from picojoule.convert.nir.fields import unreadable

Shape = tuple[int | None, ...] | None  # None for what is unknown


def check_shapes(
    source: str, nodes: Mapping[str, Any], sources: Mapping[str, Sequence[str]]
) -> None:
    """Raise ValueError if nodes give what the next one cannot add up or take; sizes of 1 fit everything."""
    for name, before in sources.items():
        given = {giver: shape for giver in before if (shape := _given(nodes[giver])) is not None}
        if len(before) == 1 and type(nodes[before[0]]).__name__ == "Input":
            continue  # other programs write what they like there
        wanted = {"itself": _taken(nodes[name])} | given
        known = {who: shape for who, shape in wanted.items() if shape is not None}
        for (first, a), (second, b) in pairwise(known.items()):
            if not _fit(a, b):
                raise unreadable(
                    f"{source}node {name!r} ({type(nodes[name]).__name__})",
                    f"gets {_shown(b)} from {second!r}, where {first!r} has {_shown(a)}",
                    "A weight or parameter has the wrong shape, or an edge leads to the wrong node.",
                )


def _fit(a: Shape, b: Shape) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(
        m == n or None in (m, n) or 1 in (m, n) for m, n in zip(a, b, strict=True)
    )


def _given(node: Any) -> Shape:
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        return (node.weight.shape[0],)
    if kind == "Input":
        shape = (node.input_type or {}).get("input")
        return None if shape is None else tuple(int(n) for n in np.atleast_1d(shape))
    if kind == "Flatten" and (shape := (node.output_type or {}).get("output")) is not None:
        return tuple(int(n) for n in shape)
    if kind in ("Conv1d", "Conv2d"):
        return (int(node.weight.shape[0]), *(None,) * (node.weight.ndim - 2))
    return _of_neuron(node)


def _taken(node: Any) -> Shape:
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        return (node.weight.shape[1],)
    if kind in ("Conv1d", "Conv2d"):
        groups = int(np.asarray(node.groups).item())
        return (int(node.weight.shape[1]) * groups, *(None,) * (node.weight.ndim - 2))
    return _of_neuron(node)


def _of_neuron(node: Any) -> Shape:
    """The shape of a neuron's parameters, unless a single value stands for any number of neurons."""
    cell = getattr(node, "neuron", node)
    shape = tuple(np.shape(cell.r)) if hasattr(cell, "r") else ()
    return shape if np.prod(shape, dtype=int) > 1 else None


def _shown(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if n is None else str(n) for n in shape)
