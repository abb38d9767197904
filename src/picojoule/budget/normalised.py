"""Nodes of a graph before which a factor on the weights changes nothing: normalisations."""

from __future__ import annotations

from collections.abc import Iterable

from torch.autograd.graph import Node

_NORMS = ("LayerNorm", "GroupNorm", "RmsNorm", "RMSNorm")
_INVERSES = ("RsqrtBackward", "ReciprocalBackward")


def undone_at(nodes: Iterable[Node]) -> list[Node]:
    """The nodes behind which a factor is undone, always, by what some do: they divide by what the factor makes larger.

    Example:
        >>> import torch
        >>> x = torch.ones(2, 3, requires_grad=True)
        >>> [each.name() for each in undone_at([torch.nn.functional.layer_norm(2 * x, (3,)).grad_fn])]
        ['MulBackward0']
        >>> undone_at([(x / 3).grad_fn])
        []
    """
    return [each for node in nodes for each in _undone_by(node)]


def undone_in_training_at(nodes: Iterable[Node]) -> list[Node]:
    """The same in training alone: in evaluation a batch normalisation divides by what it knows from before."""
    normal = [node for node in nodes if _by_batch(node) and _keeps_statistics(node)]
    return [each for node in normal for each in _inputs(node, 0)]


def _undone_by(node: Node) -> list[Node]:
    name = node.name()
    if any(each in name for each in _NORMS) or (_by_batch(node) and not _keeps_statistics(node)):
        return _inputs(node, 0)
    if name.startswith("DivBackward"):
        return _inputs(node, 1)
    return [node] if name.startswith(_INVERSES) else []


def _by_batch(node: Node) -> bool:
    return "BatchNorm" in node.name() and bool(getattr(node, "_saved_training", False))


def _keeps_statistics(node: Node) -> bool:
    try:
        return getattr(node, "_saved_running_mean", None) is not None
    except RuntimeError:  # a backward pass has freed it
        return True


def _inputs(node: Node, place: int) -> list[Node]:
    found = [each for each, _ in node.next_functions[place : place + 1]]
    return [each for each in found if each is not None]
