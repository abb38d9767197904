"""A neuron for every call of a ReLU."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import fx, nn

from picojoule.convert.activations import (
    CONVERTIBLE,
    check_all_layers,
    check_called_layers,
    check_calls,
    is_in_place,
    relu_calls,
)
from picojoule.convert.graph import call_graph
from picojoule.convert.max_pooling import (
    MakePool,
    MaxPooling,
    max_pool_calls,
    spiking_pool_of_call,
    spiking_pool_of_layer,
)
from picojoule.convert.mode import dropouts_by_mode
from picojoule.convert.replace import replace_module, replace_module_
from picojoule.layers import HookHandles, Repeat, StatefulLayer

MakeNeuron = Callable[[], StatefulLayer]
OUTPUT = "spike_output"
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_is_full_backward_hook",
)


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
    spiking = replace_module(model, CONVERTIBLE, lambda relu: make_neuron().train(relu.training))
    if max_pooling == "spiking":
        spiking = _with_spiking_pools(spiking, make_pool)
    try:
        graph = call_graph("from_model", spiking)
    except NotImplementedError as error:
        check_all_layers(spiking, max_pooling)
        warnings.warn(
            f"{error} The ReLU layers were converted; whether it calls one of them twice, or rectifies by a "
            "function, could not be seen.",
            stacklevel=4,
        )
        return spiking
    modules = dict(spiking.named_modules(remove_duplicate=False))
    check_called_layers(graph, modules, max_pooling)
    pools = max_pool_calls(graph) if max_pooling else []
    check_calls(graph, [*relu_calls(graph), *pools])
    unusual = _by_value(graph, dict(model.named_modules(remove_duplicate=False)))
    new: dict[str, nn.Module] = {}
    for node in relu_calls(graph):
        new[node.name] = make_neuron().train(model.training)
    for node in pools if max_pooling == "spiking" else []:
        new[node.name] = spiking_pool_of_call(node, make_pool).train(model.training)
    repeated = _repeated_calls(graph, modules)
    if not (new or repeated or unusual):
        return spiking
    dropouts = dropouts_by_mode(spiking, call_graph("from_model", spiking))
    return _rewritten(spiking, graph, repeated, new | dropouts)


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
        NotImplementedError: it is not a Sequential, and torch.fx cannot follow it.
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
    if isinstance(model, nn.Sequential):
        model.add_module(OUTPUT, neuron)
        return model
    dropouts = dropouts_by_mode(model, graph)
    rewritten = _rewritten(model, graph, [], dropouts)
    (output,) = (node for node in rewritten.graph.nodes if node.op == "output")
    _call_after(rewritten, output.args[0], OUTPUT, neuron)
    rewritten.recompile()
    return rewritten


@contextmanager
def one_call_each(model: nn.Module) -> Iterator[None]:
    """Around one forward pass: refuse a neuron that it calls more than once.

    torch.fx cannot follow every model; this sees what it could not.

    Raises:
        NotImplementedError: a neuron was called twice; the message names it.
    """
    calls: Counter[str] = Counter()
    inside = _inside_neurons(model)
    with HookHandles() as handles:
        for name, module in model.named_modules():
            if isinstance(module, StatefulLayer) and id(module) not in inside:
                count = lambda *_, name=name: calls.update([name])  # noqa: E731
                handles.add(module.register_forward_pre_hook(count))
        yield
    for name, number in calls.items():
        if number > 1:
            raise NotImplementedError(
                f"from_model: layer {name!r} is called {number} times in one forward pass, which torch.fx cannot "
                "follow, so that one neuron would stand for several. Give each call a ReLU of its own."
            )


def _inside_neurons(model: nn.Module) -> set[int]:
    """Stateful layers that others call step by step, as often as they like."""
    outer = [module for module in model.modules() if isinstance(module, StatefulLayer)]
    return {id(part) for neuron in outer for part in neuron.modules() if part is not neuron}


def _repeated_calls(graph: fx.Graph, modules: dict[str, nn.Module]) -> list[fx.Node]:
    """Every call of a neuron but its first."""
    seen: set[int] = set()
    repeated = []
    for node in graph.nodes:
        neuron = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(neuron, StatefulLayer):
            if id(neuron) in seen:
                repeated.append(node)
            seen.add(id(neuron))
    return repeated


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
    return changed


def _rewritten(
    model: nn.Module, graph: fx.Graph, repeated: list[fx.Node], layers: dict[str, nn.Module]
) -> fx.GraphModule:
    """The model as its calls: each repeated one with a layer of its own, others with those given by node name."""
    rewritten = _graph_module(model, graph)
    for node in repeated:
        name = _free_name(rewritten, str(node.target).replace(".", "_"))
        same = _same_node(rewritten, node)
        rewritten.add_submodule(name, copy.deepcopy(rewritten.get_submodule(str(node.target))))
        same.target = name
    for same in [node for node in rewritten.graph.nodes if node.name in layers]:
        (before,) = same.all_input_nodes
        name = _free_name(rewritten, same.name)
        neuron = _call_after(rewritten, before, name, layers[same.name], at=same)
        same.replace_all_uses_with(neuron)
        rewritten.graph.erase_node(same)
    rewritten.recompile()
    return rewritten


def _graph_module(model: nn.Module, graph: fx.Graph) -> fx.GraphModule:
    """The model as its calls of layers. Its own hooks stay; its containers are no longer called."""
    _refuse_repeats(model)
    _refuse_hooked_containers(model, graph)
    for node in graph.nodes:
        if "constant" in node.meta:  # the model is a copy of our own
            model.register_buffer(str(node.target), node.meta["constant"], persistent=False)
    rewritten = fx.GraphModule(model, copy.deepcopy(graph), class_name=type(model).__name__)
    for name, module in rewritten.named_modules():
        module.training = model.get_submodule(name).training
    for kind in _HOOKS:
        setattr(rewritten, kind, getattr(model, kind))
    return rewritten


def _same_node(rewritten: fx.GraphModule, node: fx.Node) -> fx.Node:
    nodes: list[fx.Node] = [other for other in rewritten.graph.nodes if other.name == node.name]
    return nodes[0]


def _call_after(
    rewritten: fx.GraphModule,
    before: fx.Node,
    name: str,
    neuron: nn.Module,
    at: fx.Node | None = None,
) -> fx.Node:
    """Call a new layer on the value of `before`; in place of `at`, or for all who use the value."""
    rewritten.add_submodule(name, neuron)
    with rewritten.graph.inserting_after(at or before):
        call = rewritten.graph.call_module(name, (before,))
    if at is None:
        before.replace_all_uses_with(call, delete_user_cb=lambda user: user is not call)
    return call


def _free_name(model: nn.Module, wanted: str) -> str:
    taken, name, count = dict(model.named_modules()), wanted, 2
    while name in taken:
        name, count = f"{wanted}_{count}", count + 1
    return name


def _refuse_hooked_containers(model: nn.Module, graph: fx.Graph) -> None:
    called = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    for name in called:
        parents = name.split(".")[:-1]
        for depth in range(1, len(parents) + 1):
            container = ".".join(parents[:depth])
            if any(getattr(model.get_submodule(container), kind) for kind in _HOOKS[:-1]):
                raise NotImplementedError(
                    f"from_model: container {container!r} has hooks, which would not be called any more once the network "
                    "is rewritten for a ReLU that is called twice or as a function, or for a spiking output. Remove "
                    "them, or write these ReLUs as layers, one a call."
                )


def _refuse_repeats(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, Repeat):
            raise NotImplementedError(
                f"from_model: a network with the Repeat {name!r} cannot be rewritten for a ReLU that is called twice "
                "or as a function. Write these ReLUs as layers, one a call, or leave out the Repeat: squeezing "
                "neurons take (batch * time)."
            )
