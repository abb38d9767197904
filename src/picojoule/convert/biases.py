"""Biases that are divided as the input is, and constants beside them that would not be.

    f(x / n; b / n) = f(x; b) / n

holds only if all that is added up follows from the input or from the biases `b` that are divided.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.padding import _ConstantPadNd
from torch.nn.parameter import UninitializedParameter

from picojoule.budget.masks import mask_of, original
from picojoule.convert.activations import parts_of_weights
from picojoule.convert.commuting import OF_SUMS, depends_on_input, function_name, is_affine
from picojoule.convert.graph import AFFINE, call_graph
from picojoule.convert.settled import copied

_WITH_NUMBERS = {"add", "iadd", "sub", "isub", "subtract", "rsub"}
# functions that add one of their arguments: its place and its name
_ADDED = {
    **{
        f"{kind}{dims}d": [(2, "bias")] for kind in ("conv", "conv_transpose") for dims in (1, 2, 3)
    },
    "linear": [(2, "bias")],
    "convolution": [(2, "bias")],
    "bilinear": [(3, "bias")],
    "pad": [(3, "value")],
    "constant_pad_nd": [(2, "value")],
    "masked_fill": [(2, "value")],
    "diff": [(3, "prepend"), (4, "append")],
}
_ADVICE = "Make it the bias of a convolution or linear layer, or leave bias_rescaling at 1."


def check_biases(model: nn.Module) -> None:
    """Raise ValueError if the output would not be divided as the input and the biases are; the message names why.

    Warns:
        UserWarning: torch.fx cannot follow the forward pass, so that constants in it go unseen.
    """
    layers = _with_biases(model)
    for name, layer in layers.items():
        _check_bias(name, layer)
    modules = dict(model.named_modules(remove_duplicate=False))
    try:
        graph = call_graph("from_model", model)
    except NotImplementedError as error:
        for name, module in modules.items():
            _check_module(name, module)
        warnings.warn(
            f"{error} Of its constants only the biases of convolutions and linear layers are divided; whether it adds "
            "constants that bias_rescaling should divide could not be seen.",
            stacklevel=3,
        )
        return
    _Constants(model, modules, layers, graph).check()


@torch.no_grad()
def with_divided_biases(model: nn.Module, by: float) -> nn.Module:
    """A copy with each bias of a convolution or linear layer divided, one that layers share once; the model itself for 1."""
    if by == 1.0:
        return model
    divided = copied(model)
    biases = {id(bias): bias for bias in _originals(_with_biases(divided))}
    for bias in biases.values():
        bias.div_(by)
    return divided


def _with_biases(model: nn.Module) -> dict[str, Any]:
    """The convolutions and linear layers that have one, without those that compute weights."""
    of_weights = parts_of_weights(model)
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, AFFINE) and layer.bias is not None and id(layer) not in of_weights
    }


def _originals(layers: dict[str, Any]) -> list[nn.Parameter]:
    return [original(layer, "bias") for layer in layers.values()]  # behind masks


def _check_bias(name: str, layer: Any) -> None:
    if "bias" not in layer._parameters and mask_of(layer, "bias") is None:
        raise ValueError(
            f"from_model: the bias of {name!r} is computed from other parameters, so it cannot be divided by bias_rescaling. "
            "Make it permanent first: torch.nn.utils.parametrize.remove_parametrizations."
        )
    if isinstance(layer.bias, UninitializedParameter):
        raise ValueError(
            f"from_model: layer {name!r} ({type(layer).__name__}) has no bias yet that bias_rescaling could divide. Run "
            "the model once on an input before converting it."
        )


def _check_module(name: str, module: nn.Module) -> None:
    what = f"from_model: layer {name!r} ({type(module).__name__})"
    if isinstance(module, _BatchNorm):
        raise ValueError(
            f"{what} adds a constant, which bias_rescaling would not divide. Call picojoule.convert.fold_batch_norm first."
        )
    if isinstance(module, _ConstantPadNd) and module.value != 0:
        raise ValueError(
            f"{what} adds a constant, {module.value}, which bias_rescaling would not divide. Pad with zeros, or leave "
            "bias_rescaling at 1."
        )
    if isinstance(module, nn.Embedding):
        raise ValueError(
            f"{what} gives constants, which bias_rescaling would not divide. Leave bias_rescaling at 1."
        )


class _Constants:
    """What is added in a forward pass, and whether all of it is divided."""

    def __init__(
        self,
        model: nn.Module,
        modules: dict[str, nn.Module],
        layers: dict[str, Any],
        graph: fx.Graph,
    ) -> None:
        self._model, self._modules, self._graph = model, modules, graph
        biases = {id(bias) for bias in _originals(layers)}
        biases |= {id(layer.bias) for layer in layers.values()}
        attributes = [node for node in graph.nodes if node.op == "get_attr"]
        divided = {node for node in attributes if id(self._value(node)) in biases}
        self._dependent = depends_on_input(graph)
        self._divided = depends_on_input(graph, divided)

    def check(self) -> None:
        """Raise ValueError for the first constant that would not be divided."""
        for node in self._graph.nodes:
            if node.op == "call_module":
                self._check_layer(str(node.target), node)
            elif node.op in ("call_function", "call_method"):
                self._check_call(node)

    def _check_layer(self, name: str, node: fx.Node) -> None:
        module: Any = self._modules[name]
        if self._divided.intersection(node.all_input_nodes):
            _check_module(name, module)
        elif isinstance(module, AFFINE) and module.bias is not None and module.bias.any():
            raise ValueError(
                f"from_model: the bias of {name!r} is added to what does not follow from the input, so bias_rescaling would "
                "divide the one and not the other. Leave bias_rescaling at 1."
            )

    def _check_call(self, node: fx.Node) -> None:
        operands = self._divided.intersection(node.all_input_nodes)
        if not operands:
            return
        name = function_name(node)
        what = f"from_model: {name}() (node {node.name!r})"
        if name in ("batch_norm", "embedding"):
            raise ValueError(
                f"{what} adds a constant, which bias_rescaling would not divide. Write it as a layer: a BatchNorm can be "
                "folded by picojoule.convert.fold_batch_norm."
            )
        added = list(_added(node))
        for term in added:
            if not self._is_divided(term):
                raise ValueError(
                    f"{what} adds {_description(term)}, which bias_rescaling would not divide. {_ADVICE}"
                )
        if name in OF_SUMS:
            return
        factors = operands.difference(term for term in added if isinstance(term, fx.Node))
        if not factors:
            raise ValueError(
                f"{what} adds a bias to what does not follow from the input, so bias_rescaling would divide the one and not "
                "the other. Leave bias_rescaling at 1."
            )
        if is_affine(node, self._dependent) and not is_affine(node, factors):
            raise ValueError(
                f"{what} does more to a bias than to scale it and to add it, so dividing it by bias_rescaling would not "
                "divide the output. Leave bias_rescaling at 1."
            )

    def _is_divided(self, term: Any) -> bool:
        """Whether a term becomes smaller as the input does, which what is zero does too."""
        if not isinstance(term, fx.Node):
            return term is None or term == 0
        if term in self._divided or function_name(term) in ("zeros_like", "new_zeros"):
            return True
        value = self._value(term) if term.op == "get_attr" else None
        return isinstance(value, Tensor) and not value.any()

    def _value(self, node: fx.Node) -> Any:
        if "constant" in node.meta:  # made in the forward pass
            return node.meta["constant"]
        return attrgetter(str(node.target))(self._model)


def _added(node: fx.Node) -> Iterator[Any]:
    """What a call adds up, or adds to what it computes."""
    name = function_name(node)
    if name in OF_SUMS:
        yield from node.all_input_nodes
    if name in _WITH_NUMBERS:
        given = (*node.args[:2], node.kwargs.get("other"))
        yield from (value for value in given if not isinstance(value, fx.Node))
    for place, keyword in _ADDED.get(str(name), ()):
        yield node.args[place] if len(node.args) > place else node.kwargs.get(keyword)


def _description(term: Any) -> str:
    if not isinstance(term, fx.Node):
        return repr(term)
    constant = term.meta.get("constant")
    if constant is not None:
        return f"a constant of shape {tuple(constant.shape)}"
    name = function_name(term)
    return repr(term.target) if name is None else f"what {name}() gives"
