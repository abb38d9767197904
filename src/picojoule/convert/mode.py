"""What a forward pass does in one mode and not in the other, which torch.fx writes down as a constant."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn import functional as F

from picojoule.convert.graph import call_graph
from picojoule.convert.settled import copied

_DROPOUTS = {
    F.dropout: nn.Dropout,
    F.dropout1d: nn.Dropout1d,
    F.dropout2d: nn.Dropout2d,
    F.dropout3d: nn.Dropout3d,
    F.alpha_dropout: nn.AlphaDropout,
    F.feature_alpha_dropout: nn.FeatureAlphaDropout,
}


def dropouts_by_mode(model: nn.Module, graph: fx.Graph) -> dict[str, nn.Module]:
    """Layers for the calls of `F.dropout(x, training=self.training)`, by the name of the call.

    Args:
        model: the model.
        graph: its calls, as :func:`call_graph` found them.

    Raises:
        NotImplementedError: the forward pass differs by mode in another way, or draws random numbers that would be frozen; the
            message names the call, or what is drawn.
    """
    other = copied(model).train(not model.training)
    there = list(call_graph("from_model", other).nodes)
    here = list(graph.nodes)
    layers: dict[str, nn.Module] = {}
    for node, twin in zip(here, there, strict=False):
        if _call(node) == _call(twin):
            _check_constant(node, twin)
            continue
        kind = _DROPOUTS.get(node.target) if node.op == "call_function" else None
        if kind is None or _call(node, without="training") != _call(twin, without="training"):
            raise _differs(node)
        layers[node.name] = kind(node.kwargs["p"]).train(model.training)
    if len(here) != len(there):
        raise _differs(here[-1])
    return layers


def _call(node: fx.Node, without: str | None = None) -> tuple[str, ...]:
    kwargs = {name: value for name, value in node.kwargs.items() if name != without}
    return node.op, str(node.target), str(node.args), str(kwargs)


def _check_constant(node: fx.Node, twin: fx.Node) -> None:
    """Raise NotImplementedError if a tensor that the forward pass makes is another one each time."""
    made = node.meta.get("constant")
    if made is None or made.is_meta:
        return
    again = twin.meta["constant"]
    if not torch.equal(made.nan_to_num(), again.nan_to_num()):
        raise NotImplementedError(
            f"from_model: the forward pass makes a tensor of shape {tuple(made.shape)} that is another one each time, as random "
            "numbers are, and a model with ReLUs as functions, or called twice, would be rewritten with one of them. Write these "
            "ReLUs as layers, one a call, or draw the numbers like the input (torch.rand_like(x))."
        )


def _differs(node: fx.Node) -> NotImplementedError:
    return NotImplementedError(
        f"from_model: the forward pass does in training mode what it does not in evaluation mode (from {node.name!r} "
        "on), and a model with ReLUs as functions, or called twice, can only be rewritten for one of them. Write "
        "these ReLUs as layers, one a call, or take the difference between the modes out of forward()."
    )
