"""A model written anew as its calls of layers, where layers are added to it or called once each."""

from __future__ import annotations

import copy

from torch import fx, nn

from picojoule.convert.in_place import assign_where_seen
from picojoule.layers import Repeat

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


def rewrite(
    model: nn.Module, graph: fx.Graph, repeated: list[fx.Node], layers: dict[str, nn.Module]
) -> fx.GraphModule:
    """The model as its calls: each repeated one with a layer of its own, others with those given by node name."""
    rewritten = graph_module(model, graph)
    for node in repeated:
        name = free_name(rewritten, str(node.target).replace(".", "_"))
        same = _same_node(rewritten, node)
        rewritten.add_submodule(name, copy.deepcopy(rewritten.get_submodule(str(node.target))))
        same.target = name
    for same in [node for node in rewritten.graph.nodes if node.name in layers]:
        (before,) = same.all_input_nodes
        name = free_name(rewritten, same.name)
        neuron = call_after(rewritten, before, name, layers[same.name], at=same)
        same.replace_all_uses_with(neuron)
        rewritten.graph.erase_node(same)
    rewritten.recompile()
    return rewritten


def graph_module(model: nn.Module, graph: fx.Graph) -> fx.GraphModule:
    """The model as its calls of layers. Its own hooks stay; its containers are no longer called."""
    _refuse_repeats(model)
    _refuse_hooked_containers(model, graph)
    for node in graph.nodes:
        if "constant" in node.meta:  # the model is a copy of our own
            model.register_buffer(str(node.target), node.meta["constant"], persistent=False)
    double = copy.deepcopy(graph)
    assign_where_seen(double, dict(model.named_modules(remove_duplicate=False)))
    rewritten = fx.GraphModule(model, double, class_name=type(model).__name__)
    for name, module in rewritten.named_modules():
        module.training = model.get_submodule(name).training
    for kind in _HOOKS:
        setattr(rewritten, kind, getattr(model, kind))
    return rewritten


def _same_node(rewritten: fx.GraphModule, node: fx.Node) -> fx.Node:
    nodes: list[fx.Node] = [other for other in rewritten.graph.nodes if other.name == node.name]
    return nodes[0]


def call_after(
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


def free_name(model: nn.Module, wanted: str) -> str:
    """The name, with a number behind it if the model has a module of that name."""
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
