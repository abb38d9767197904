"""Sums that change a tensor in place, which a trace by values cannot tell from others."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn

IN_PLACE = operator.iadd, "add_"


def is_seen_later(root: nn.Module, node: fx.Node) -> bool:
    """Whether the tensor that a call changes in place is used after it by another name, or as a view of it or what it is a view of."""
    base = node
    while _shares_memory(root, base):
        base = base.args[0]  # type: ignore[assignment]
    same, order = [base], {each: k for k, each in enumerate(node.graph.nodes)}
    for each in same:
        same += [user for user in each.users if user is not node and _shares_memory(root, user)]
    return any(order[user] > order[node] for each in same for user in each.users)


def _shares_memory(root: nn.Module, node: fx.Node) -> bool:
    """Whether a call gives its first argument, or a view of it."""
    if not (node.args and isinstance(node.args[0], fx.Node)):
        return False
    if node.op == "call_module":
        return isinstance(root.get_submodule(str(node.target)), nn.Flatten)
    views = torch.flatten, "flatten", torch.unflatten, "unflatten"
    return node.target in (*views, *IN_PLACE)
