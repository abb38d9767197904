"""Walks on the graph that a forward pass leaves."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from torch import nn
from torch.autograd.graph import Node


def source(node: Node) -> Node:
    """The first node of a chain of views and the like."""
    while len(node.next_functions) == 1 and (before := node.next_functions[0][0]) is not None:
        node = before
    return node


def trained(found: Mapping[int, nn.Parameter]) -> tuple[nn.Parameter, ...]:
    """Those of some parameters that are trained."""
    return tuple(p for p in found.values() if p.requires_grad)


def leaf(node: Node) -> list[nn.Parameter]:
    """The parameter whose gradient a node adds up, if it does."""
    variable = getattr(node, "variable", None)
    return [variable] if isinstance(variable, nn.Parameter) else []


def back(nodes: list[Node], stop: Container[Node]) -> Iterator[Node]:
    """All nodes behind some, not further than those to stop at, which are among them."""
    known, left = set(nodes), list(nodes)
    while left:
        node = left.pop()
        yield node
        if node in stop:
            continue
        following = [each for each, _ in node.next_functions if each is not None]
        left += [each for each in following if each not in known]
        known.update(following)
