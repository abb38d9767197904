"""Which layers and functions of an ANN a rate of spikes can stand for, and which it cannot."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import fx, nn
from torch.nn.modules.loss import _Loss

from picojoule.convert.commuting import (
    commutes,
    depends_on_input,
    function_name,
    is_affine,
    normalises_by_batch,
)
from picojoule.convert.max_pooling import MAX_CALLS, MAX_POOLS, MaxPooling, refusal_of_max
from picojoule.layers import NeuromorphicReLU, QuantizeLayer, StatefulLayer

CONVERTIBLE = (nn.ReLU, NeuromorphicReLU)
_RECTIFY = tuple(kind.forward for kind in CONVERTIBLE)
_READOUTS = (nn.Softmax, nn.LogSoftmax, nn.Softmax2d)
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
# names of functions and methods, without the underscores of in-place and internal forms
_RELU_CALLS = {"relu"}
_CLAMP_CALLS = {"clamp", "clamp_min", "clip"}
_READOUT_CALLS = {"softmax", "log_softmax", "special_softmax", "special_log_softmax"}


def check_all_layers(model: nn.Module, max_pooling: MaxPooling) -> None:
    """Raise NotImplementedError if the model holds a layer that does not commute with rates.

    For models whose forward pass is unknown; a loss that they hold is not part of it.
    """
    of_weights = parts_of_weights(model)
    for name, module in model.named_modules():
        if not isinstance(module, (_Loss, *_READOUTS)) and id(module) not in of_weights:
            _check_layer(name, module, max_pooling)


def check_can_be_looked_into(model: nn.Module) -> None:
    """Raise NotImplementedError if a part of the model hides what it computes; the message says what to hand over."""
    for name, module in model.named_modules():
        what = f"from_model: layer {name!r}" if name else "from_model: the model"
        if isinstance(module, torch.jit.ScriptModule):
            raise NotImplementedError(
                f"{what} is compiled by TorchScript, which hides its layers. Hand over the module that it was made of, before "
                "torch.jit.script or torch.jit.trace."
            )
        if type(module).__name__ == "OptimizedModule":
            raise NotImplementedError(
                f"{what} is compiled by torch.compile. Hand over the module inside, `._orig_mod`, and compile the spiking model."
            )


def check_relu(name: str, layer: nn.Module) -> None:
    """Raise NotImplementedError if a kind of ReLU does something else."""
    if getattr(layer.forward, "__func__", None) not in _RECTIFY:
        raise NotImplementedError(
            f"from_model: layer {name!r} ({type(layer).__name__}) is a ReLU with a forward pass of its own, which no neuron would "
            "follow. Make it an nn.Module that calls F.relu where it rectifies."
        )


def parts_of_weights(model: nn.Module) -> set[int]:
    """Layers that compute weights (`torch.nn.utils.parametrize`), by `id`; no rate reaches them."""
    computed = [m for name, m in model.named_modules() if name.split(".")[-1] == "parametrizations"]
    return {id(part) for each in computed for part in each.modules()}


def check_called_layers(
    graph: fx.Graph, modules: dict[str, nn.Module], max_pooling: MaxPooling
) -> None:
    """Raise NotImplementedError if a layer that is called does not commute with rates."""
    for node in graph.nodes:
        if node.op != "call_module":
            continue
        name = str(node.target)
        if _rounds(modules[name]) and not _gives_whole_numbers(node.all_input_nodes[0], modules):
            raise _refusal(f"layer {name!r} (QuantizeLayer), which rounds what is no spikes,")
        if not isinstance(modules[name], _READOUTS):
            _check_layer(name, modules[name], max_pooling)
        elif not _is_output(node):
            raise _refusal(f"layer {name!r}, a softmax before the end,")


def relu_calls(graph: fx.Graph) -> list[fx.Node]:
    """The calls of functions that rectify what follows from the network's input, in order."""
    dependent = depends_on_input(graph)
    return [node for node in graph.nodes if node in dependent and _rectifies(node)]


def relus_of_weights(graph: fx.Graph, originals: dict[str, nn.Module]) -> list[fx.Node]:
    """The calls of ReLU layers on what does not follow from the network's input, in order."""
    dependent = depends_on_input(graph)
    calls = [node for node in graph.nodes if node.op == "call_module" and node not in dependent]
    return [node for node in calls if isinstance(originals.get(str(node.target)), CONVERTIBLE)]


def check_calls(graph: fx.Graph, ours: Iterable[fx.Node], *, training: bool) -> None:
    """Raise NotImplementedError if a function is called that does not commute with rates.

    Args:
        graph: the forward pass.
        ours: calls that the conversion replaces, or leaves as asked.
        training: the mode that the forward pass was followed in.
    """
    dependent, known = depends_on_input(graph), set(ours)
    for node in graph.nodes:
        name = function_name(node)
        of_batch = not training and node in dependent and normalises_by_batch(node)
        if name is None or node in known or (is_affine(node, dependent) and not of_batch):
            continue
        what = f"the forward pass calls {name}() (node {node.name!r}), which"
        if name in MAX_CALLS:
            raise refusal_of_max(what)
        if name not in _READOUT_CALLS:
            raise _refusal(what)
        if not _is_output(node):
            raise _refusal(f"the forward pass calls {name}() before its end, which")


def is_in_place(node: fx.Node) -> bool:
    """Whether a function that rectifies overwrites its input."""
    if function_name(node) not in _RELU_CALLS | _CLAMP_CALLS:
        return False
    name = str(node.target if node.op == "call_method" else node.target.__name__)  # type: ignore[union-attr]
    by_argument = function_name(node) == "relu" and (node.args[1:] or (False,))[0]
    return name.partition(".")[0].endswith("_") or bool(node.kwargs.get("inplace", by_argument))


def _check_layer(name: str, module: nn.Module, max_pooling: MaxPooling) -> None:
    what = f"layer {name!r} ({type(module).__name__})"
    if isinstance(module, MAX_POOLS):
        if max_pooling != "each_step":
            raise refusal_of_max(what)
    elif isinstance(module, _WRAPPERS):
        raise NotImplementedError(
            f"from_model: {what} wraps the network. Hand over the network inside, `.module`."
        )
    elif not commutes(module):
        raise _refusal(what)


def _rounds(module: nn.Module) -> bool:
    return isinstance(module, QuantizeLayer) and bool(module.quantize)


def _gives_whole_numbers(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a value is spikes once the network is converted: the input, and what neurons give."""
    neuron = node.op == "call_module" and isinstance(modules[str(node.target)], StatefulLayer)
    return node.op == "placeholder" or neuron or _rectifies(node)


def _rectifies(node: fx.Node) -> bool:
    name = function_name(node)
    return name in _RELU_CALLS or (name in _CLAMP_CALLS and _clamps_at_zero(node))


def _clamps_at_zero(node: fx.Node) -> bool:
    lowest = node.args[1] if len(node.args) > 1 else node.kwargs.get("min")
    highest = node.args[2] if len(node.args) > 2 else node.kwargs.get("max")
    return isinstance(lowest, int | float) and lowest == 0 and highest is None


def _is_output(node: fx.Node) -> bool:
    return all(user.op == "output" for user in node.users)


def _refusal(what: str) -> NotImplementedError:
    return NotImplementedError(
        f"from_model: {what} has no spiking counterpart: only ReLUs do (nn.ReLU, NeuromorphicReLU, relu(), "
        "clamp(min=0)), and what is known to be affine stays, for only that commutes with rates. Train the network "
        "with a ReLU, or a BatchNorm that is folded, in its place, or replace the layer by one of your own with "
        "picojoule.convert.replace_module first."
    )
