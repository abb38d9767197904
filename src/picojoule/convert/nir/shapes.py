"""Which shapes nodes take and give, as far as their fields tell, and whether neighbours fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from picojoule.convert.nir.fields import unreadable

Shape = tuple[int | None, ...] | None  # None for what is unknown


def check_edges(source: str, nodes: Mapping[str, Any], edges: Iterable[tuple[str, str]]) -> None:
    """Raise ValueError if a node gives what the next one cannot take; sizes of 1 fit everything."""
    for before, after in edges:
        given, taken = _given(nodes[before]), _taken(nodes[after])
        if given is None or taken is None:
            continue
        pairs = list(zip(given, taken, strict=False))
        if len(given) != len(taken) or any(
            a != b and None not in (a, b) and 1 not in (a, b) for a, b in pairs
        ):
            raise unreadable(
                f"{source}node {after!r} ({type(nodes[after]).__name__})",
                f"takes {_shown(taken)}, and node {before!r} gives {_shown(given)}",
                "One of them has weights or parameters of the wrong shape.",
            )


def _given(node: Any) -> Shape:
    kind = type(node).__name__
    if kind in ("Linear", "Affine"):
        return (node.weight.shape[0],)
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
