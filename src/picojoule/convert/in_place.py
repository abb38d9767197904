"""What changes a tensor in place, which a trace by values cannot tell from what makes a new one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

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
    diagonal requires_grad dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    atleast_1d atleast_2d atleast_3d
    """
)
# attributes of a tensor that are views of it; others, as its shape, are no tensors
_ATTRIBUTES = names("data T mT H mH real imag")
# what cuts its operand up, so that its pieces share no memory among them
_IN_PIECES = names("chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind")


def is_seen_later(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the tensor that a call changes in place is used after it by another name than that of the result, or as a view.

    Args:
        node: the call; what it changes is its first operand.
        modules: the model's layers by name.
    """
    order = {each: place for place, each in enumerate(node.graph.nodes)}
    later = any(order[user] > order[node] for user in node.all_input_nodes[0].users)
    return later or bool(seen_by_other_names(node, modules))


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
    for node in [node for node in graph.nodes if node.target in ASSIGNING]:
        if not (node.args[0] in dependent and is_seen_later(node, modules)):
            node.target = ASSIGNING[node.target]


def _may_share(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    if not node.all_input_nodes:
        return False
    if node.op == "call_module":
        kinds = nn.Identity, nn.Flatten, nn.Unflatten, _DropoutNd
        return isinstance(modules.get(str(node.target)), kinds)
    if node.target is getattr:
        return node.args[1] in _ATTRIBUTES
    written = str(node.target if node.op == "call_method" else getattr(node.target, "__name__", ""))
    return (
        node.target in ASSIGNING
        or function_name(node) in _MAY_SHARE
        or (written.endswith("_") and written[:1] != "_")
    )
