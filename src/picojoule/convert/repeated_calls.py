"""Neurons that a model calls more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from torch import fx, nn

from picojoule.layers import HookHandles, StatefulLayer


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
