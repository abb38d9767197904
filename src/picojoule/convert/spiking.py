"""A neuron for every call of a ReLU."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable

from torch import fx, nn

from picojoule.convert.activations import (
    CONVERTIBLE,
    check_all_layers,
    check_called_layers,
    check_calls,
    check_can_be_looked_into,
    check_relu,
    is_in_place,
    parts_of_weights,
    relu_calls,
    relus_of_weights,
)
from picojoule.convert.graph import call_graph
from picojoule.convert.held import replace_in_plain_python
from picojoule.convert.in_place import seen_by_other_names
from picojoule.convert.max_pooling import (
    MakePool,
    MaxPooling,
    max_pool_calls,
    spiking_pool_of_call,
    spiking_pool_of_layer,
)
from picojoule.convert.mode import dropouts_by_mode
from picojoule.convert.repeated_calls import repeated_calls
from picojoule.convert.replace import replace_module_
from picojoule.convert.rewriting import call_after, rewrite
from picojoule.convert.settled import copied
from picojoule.layers import StatefulLayer

MakeNeuron = Callable[[], StatefulLayer]
OUTPUT = "spike_output"


def with_neurons(
    model: nn.Module, make_neuron: MakeNeuron, max_pooling: MaxPooling, make_pool: MakePool
) -> nn.Module:
    """A copy of the model with a neuron of its own for every ReLU that its forward pass calls.

    A layer keeps its place and name. Where one neuron would be called twice, or a function rectifies,
    the copy is a `torch.fx.GraphModule` with the model's layers under their names.

    Raises:
        NotImplementedError: something does not commute with rates, or a model to be rewritten differs by
            mode in more than dropout; the message names it.

    Warns:
        UserWarning: torch.fx cannot follow the forward pass, so that functions in it go unseen.
    """
    check_can_be_looked_into(model)
    spiking = _with_neurons_for_layers(model, make_neuron)
    if max_pooling == "spiking":
        spiking = _with_spiking_pools(spiking, make_pool)
    try:
        graph = call_graph("from_model", spiking)
    except NotImplementedError as error:
        check_all_layers(spiking, max_pooling)
        warnings.warn(
            f"{error} The ReLU layers among its submodules became neurons; whether it calls these, calls one of them "
            "twice, or rectifies by something else, could not be seen.",
            stacklevel=3,
        )
        return spiking
    modules = dict(spiking.named_modules(remove_duplicate=False))
    check_called_layers(graph, modules, max_pooling)
    pools = max_pool_calls(graph) if max_pooling else []
    check_calls(graph, [*relu_calls(graph), *pools], training=model.training)
    originals = dict(model.named_modules(remove_duplicate=False))
    unusual = _by_value(graph, originals)
    of_weights = relus_of_weights(graph, originals)
    new = {node.name: copied(originals[str(node.target)]) for node in of_weights}
    for node in relu_calls(graph):
        new[node.name] = make_neuron().train(model.training)
    for node in pools if max_pooling == "spiking" else []:
        new[node.name] = spiking_pool_of_call(node, make_pool).train(model.training)
    repeated = [node for node in repeated_calls(graph, modules) if node not in of_weights]
    if not (new or repeated or unusual):
        return spiking
    dropouts = dropouts_by_mode(spiking, call_graph("from_model", spiking))
    return rewrite(spiking, graph, repeated, new | dropouts)


def _with_neurons_for_layers(model: nn.Module, make_neuron: MakeNeuron) -> nn.Module:
    """A copy of the model with a neuron for every ReLU layer but those that compute weights."""
    of_weights = parts_of_weights(model)
    for name, layer in model.named_modules():
        if isinstance(layer, CONVERTIBLE) and id(layer) not in of_weights:
            check_relu(name, layer)
    if isinstance(model, CONVERTIBLE):
        return make_neuron().train(model.training)
    double = copied(model)
    of_weights = parts_of_weights(double)
    neurons: dict[nn.Module, nn.Module] = {}
    for parent in [part for part in double.modules() if id(part) not in of_weights]:
        for name, child in list(parent._modules.items()):
            if isinstance(child, CONVERTIBLE):
                neuron = make_neuron().train(child.training)
                setattr(parent, name, neuron)
                neurons.setdefault(child, neuron)
    replace_in_plain_python(double, neurons)
    return double


def _with_spiking_pools(model: nn.Module, make_pool: MakePool) -> nn.Module:
    """The model, a copy of ours, with a spiking maximum for every `nn.MaxPool2d`."""
    names = {id(module): name for name, module in model.named_modules()}

    def spiking_pool(pool: nn.Module) -> nn.Module:
        return spiking_pool_of_layer(names[id(pool)], pool, make_pool)

    if isinstance(model, nn.MaxPool2d):
        return spiking_pool(model)
    replace_module_(model, nn.MaxPool2d, spiking_pool)
    return model


def with_spiking_output(model: nn.Module, make_neuron: MakeNeuron) -> nn.Module:
    """The model with a neuron `spike_output` behind it, if it does not end in one.

    Raises:
        NotImplementedError: torch.fx cannot follow it.
    """
    graph = call_graph("from_model: add_spiking_output", model)
    modules = dict(model.named_modules())
    (output,) = (node for node in graph.nodes if node.op == "output")
    last = output.args[0]
    if not isinstance(last, fx.Node):
        raise NotImplementedError(
            f"from_model: add_spiking_output expects a model with one output, but {type(model).__name__} returns "
            f"{last}."
        )
    if last.op == "call_module" and isinstance(modules.get(str(last.target)), StatefulLayer):
        warnings.warn(
            f"from_model: the model ends in spiking layer {last.target!r}; no spiking output was added.",
            stacklevel=3,
        )
        return model
    neuron = make_neuron().train(model.training)
    if _runs_its_children(model):
        model.add_module(OUTPUT, neuron)
        return model
    if last.op == "call_module" and not last.target:  # a single layer
        return nn.Sequential(OrderedDict([("0", model), (OUTPUT, neuron)]))
    dropouts = dropouts_by_mode(model, graph)
    rewritten = rewrite(model, graph, [], dropouts)
    (output,) = (node for node in rewritten.graph.nodes if node.op == "output")
    call_after(rewritten, output.args[0], OUTPUT, neuron)
    rewritten.recompile()
    return rewritten


def _runs_its_children(model: nn.Module) -> bool:
    """Whether a forward pass is to call all children one after the other, so that one more is called behind them."""
    return (
        isinstance(model, nn.Sequential)
        and type(model).forward is nn.Sequential.forward
        and type(model).__iter__ is nn.Sequential.__iter__
        and "forward" not in vars(model)
    )


def _by_value(graph: fx.Graph, originals: dict[str, nn.Module]) -> bool:
    """Make up for what neurons do not do: change their input in place, take it as a keyword.

    Whoever used a value after a ReLU had rectified it in place now uses the neuron's output.
    """
    order = {node: place for place, node in enumerate(graph.nodes)}
    changed = False
    for node in graph.nodes:
        module = originals.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, CONVERTIBLE) and node.kwargs:
            node.args, node.kwargs, changed = tuple(node.all_input_nodes), {}, True
        if not (getattr(module, "inplace", False) or is_in_place(node)):
            continue
        (before,) = node.all_input_nodes
        for user in [user for user in before.users if order[user] > order[node]]:
            user.replace_input_with(before, node)
            changed = True
        others = seen_by_other_names(node, originals)
        if others:
            raise NotImplementedError(
                f"from_model: a ReLU (node {node.name!r}) overwrites its input in place, and the forward pass uses that memory "
                f"by another name, or a view of it, after that (node {others[0].name!r}), which a neuron does not change. "
                "Rectify without inplace=True, and use what the ReLU returns."
            )
    return changed
