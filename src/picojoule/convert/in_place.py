"""What changes a tensor in place, which a trace by values cannot tell from what makes a new one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.dropout import _DropoutNd

from picojoule.convert.commuting import depends_on_input, function_name, names

IN_PLACE = operator.iadd, "add_"
# `x += y` and the like, and what gives the same as a new tensor
ASSIGNING: dict[Callable[..., Any], Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}
# what gives its first operand again, or a view of it, always or at times
_MAY_SHARE = names(
    """
    view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze transpose permute t adjoint movedim
    moveaxis swapaxes swapdims getitem narrow select chunk split split_with_sizes tensor_split hsplit vsplit dsplit
    unbind expand expand_as broadcast_to contiguous detach to type type_as float double half bfloat16 cpu cuda
    diagonal requires_grad getattr dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    atleast_1d atleast_2d atleast_3d
    """
)
# what cuts its operand up, so that its pieces share no memory among them
_IN_PIECES = names("chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind")


def seen_by_other_names(node: fx.Node, modules: Mapping[str, nn.Module]) -> list[fx.Node]:
    """Other values in the memory of a call's input that somebody uses after the call, as far as they may share it.

    Args:
        node: a call that changes its input in place, and that all later users of this input already hear.
        modules: the model's layers by name.
    """
    before = node.all_input_nodes[0]
    above = [before]
    while _may_share(above[-1], modules):
        above.append(above[-1].all_input_nodes[0])
    same = [above[-1]]
    order = {each: place for place, each in enumerate(node.graph.nodes)}
    for each in same:
        same += [
            user
            for user in each.users
            if user not in (node, *same)
            and (user in above or function_name(each) not in _IN_PIECES)
            and user.all_input_nodes[0] is each
            and order[user] < order[node]
            and _may_share(user, modules)
        ]
    return [
        each
        for each in same
        if each is not before and any(order[user] > order[node] for user in each.users)
    ]


def assign_where_seen(graph: fx.Graph, modules: Mapping[str, nn.Module]) -> None:
    """Let `x += y` and the like change `x` in a graph only where somebody else sees it, and make a new value elsewhere."""
    dependent = depends_on_input(graph)
    order = {node: place for place, node in enumerate(graph.nodes)}
    for node in [node for node in graph.nodes if node.target in ASSIGNING]:
        changed = node.args[0]
        is_ours = isinstance(changed, fx.Node) and changed in dependent
        if not (is_ours and _is_seen(node, changed, order, modules)):
            node.target = ASSIGNING[node.target]


def _is_seen(
    node: fx.Node, changed: Any, order: Mapping[fx.Node, int], modules: Mapping[str, nn.Module]
) -> bool:
    """Whether anybody uses what a call has changed by another name than that of its result."""
    later = any(order[user] > order[node] for user in changed.users)
    return later or bool(seen_by_other_names(node, modules))


def _may_share(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    if not node.all_input_nodes:
        return False
    if node.op == "call_module":
        kinds = nn.Identity, nn.Flatten, nn.Unflatten, _DropoutNd
        return isinstance(modules.get(str(node.target)), kinds)
    written = str(node.target if node.op == "call_method" else getattr(node.target, "__name__", ""))
    return (
        node.target in ASSIGNING
        or function_name(node) in _MAY_SHARE
        or (written.endswith("_") and written[:1] != "_")
    )


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
