"""Neurons that a model calls more than once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from torch import fx, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from picojoule.convert.activations import CONVERTIBLE
from picojoule.layers import HookHandles, StatefulLayer


@contextmanager
def one_call_each(model: nn.Module) -> Iterator[None]:
    """Around one forward pass: refuse a neuron that it calls more than once, and a ReLU that has become none.

    torch.fx cannot follow every model; this sees what it could not.

    Raises:
        NotImplementedError: a neuron was called twice, or a ReLU that is no submodule was called; the message names it.
    """
    calls: Counter[str] = Counter()
    inside = _inside_neurons(model)
    with HookHandles() as handles, _without_other_relus(model):
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


@contextmanager
def _without_other_relus(model: nn.Module) -> Iterator[None]:
    held, thread = {id(module) for module in model.modules()}, threading.get_ident()
    called: list[str] = []

    def note(module: nn.Module, _inputs: object) -> None:
        other = isinstance(module, CONVERTIBLE) and id(module) not in held
        if other and threading.get_ident() == thread:
            called.append(type(module).__name__)

    with register_module_forward_pre_hook(note):
        yield
    if called:
        raise NotImplementedError(
            f"from_model: the forward pass of {type(model).__name__} calls a {called[0]} that is no submodule of it and torch.fx "
            "cannot follow it there, so this has become no neuron. Make it an attribute of the module, or hold it in an "
            "nn.ModuleList or nn.ModuleDict."
        )


def _inside_neurons(model: nn.Module) -> set[int]:
    """Stateful layers that others call step by step, as often as they like."""
    outer = [module for module in model.modules() if isinstance(module, StatefulLayer)]
    return {id(part) for neuron in outer for part in neuron.modules() if part is not neuron}


def repeated_calls(graph: fx.Graph, modules: dict[str, nn.Module]) -> list[fx.Node]:
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
