"""Which weights drive each spiking layer, and which counted layers its spikes reach: read off one pass's graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.utils.parametrize import is_parametrized

from picojoule.budget.scales import scales_of
from picojoule.layers import HookHandles
from picojoule.synops.counting_monitor import CountingMonitor

_SUMS = ("AddBackward0", "SubBackward0")


@dataclass(frozen=True)
class Drive:
    """What drives one spiking layer.

    Args:
        last: parameters of the last modules before its input, weights and biases: times a factor, its current is. None of
            them if those of one module do not.
        all: every parameter on the way from the spikes before to its spikes, its own included.
    """

    last: tuple[nn.Parameter, ...]
    all: tuple[nn.Parameter, ...]


@dataclass(frozen=True)
class Wiring:
    """How spikes flow through a model.

    Args:
        drives: by spiking layer, in the order in which they run.
        reached: the counted layers that a spiking layer's spikes reach before the next spikes, by its name.
        unscaled: the last modules before a spiking layer whose parameters do not scale its current, by its name.
    """

    drives: dict[str, Drive]
    reached: dict[str, tuple[str, ...]]
    unscaled: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def sources(self, layers: tuple[str, ...]) -> tuple[str, ...]:
        """The spiking layers whose spikes some counted layers spend; those of all layers if there are none.

        Example:
            >>> Wiring({}, {"1": ("2",), "3": ("4", "5")}).sources(("2", "5"))
            ('1', '3')
        """
        return tuple(n for n, ends in self.reached.items() if not layers or set(ends) & set(layers))

    def replaced(self, parameters: Mapping[nn.Parameter, nn.Parameter]) -> Wiring:
        """The same with other parameters in the place of some."""
        drives = {
            name: Drive(
                tuple(parameters.get(p, p) for p in drive.last),
                tuple(parameters.get(p, p) for p in drive.all),
            )
            for name, drive in self.drives.items()
        }
        return Wiring(drives, self.reached, self.unscaled)


@dataclass
class _Seen:
    """Where the graph of a pass enters and leaves the modules that matter."""

    spikes: dict[Node, str] = field(default_factory=dict)
    currents: dict[str, list[Node]] = field(default_factory=dict)
    outputs: dict[Node, nn.Module] = field(default_factory=dict)


class WiringWatch:
    """Hooks that see one forward pass with gradients, and then know the wiring.

    Modules called several times in the pass (step by step, say) are seen each time. What runs as one opaque call, such
    as a compiled or scripted block, shows no modules inside: its parameters are found, its spiking layers are not.

    Args:
        monitor: of the model; its spiking layers are those that count.

    Example:
        >>> import picojoule
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(4, 3), picojoule.layers.IAF(), nn.Linear(3, 2))
        >>> monitor = picojoule.Monitor(model).attach()
        >>> watch = WiringWatch(monitor)
        >>> _ = model(torch.rand(1, 5, 4))
        >>> wiring = watch.wiring()
        >>> wiring.reached, len(wiring.drives["1"].last)
        ({'1': ('2',)}, 2)
    """

    def __init__(self, monitor: CountingMonitor) -> None:
        self._monitor, self._seen, self._handles = monitor, _Seen(), HookHandles()
        self._spiking = monitor.spiking_layers
        self._done = False  # a copy of the model has the hooks, too, and keeps them
        modules = dict(monitor.model.named_modules())
        inside = {id(m) for n in monitor.spiking_layers for m in modules[n].modules()}
        for name in monitor.spiking_layers:
            self._watch_spiking(name, modules[name])
        for module in modules.values():
            own = next(module.parameters(recurse=False), None) is not None
            if id(module) not in inside and (own or is_parametrized(module)):
                self._handles.add(module.register_forward_hook(self._leaves))

    def knows(self, spiking: tuple[str, ...]) -> bool:
        """Whether these are the layers that it watches."""
        return spiking == self._spiking

    @property
    def saw(self) -> bool:
        """Whether there was a pass with gradients."""
        return bool(self._seen.spikes)

    def remove(self) -> None:
        """Take the hooks off."""
        self._done = True
        self._handles.remove()

    def _watch_spiking(self, name: str, module: nn.Module) -> None:
        def enters(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            if self._done:
                return
            nodes = [
                x.grad_fn for x in inputs[:1] if isinstance(x, Tensor) and x.grad_fn is not None
            ]
            self._seen.currents.setdefault(name, []).extend(nodes)

        def leaves(_: nn.Module, __: object, output: Any) -> None:
            for each in () if self._done else _tensors(output):
                if each.grad_fn is not None:
                    self._seen.spikes[each.grad_fn] = name

        self._handles.add(module.register_forward_pre_hook(enters))
        self._handles.add(module.register_forward_hook(leaves))

    def _leaves(self, module: nn.Module, _: object, output: Any) -> None:
        for each in () if self._done else _tensors(output):
            if each.grad_fn is not None:
                self._seen.outputs.setdefault(each.grad_fn, module)  # others may hand it on

    def wiring(self) -> Wiring:
        """What the pass has shown; the hooks are gone then."""
        self.remove()
        seen, modules = self._seen, dict(self._monitor.model.named_modules())
        self._seen = _Seen()
        seen.outputs = {n: m for n, m in seen.outputs.items() if _has_a_part(n, m, seen)}
        drives, unscaled = dict[str, Drive](), dict[str, tuple[str, ...]]()
        names = {id(module): name for name, module in modules.items()}
        for name, nodes in seen.currents.items():
            drives[name], lost = _drive(seen, nodes, modules[name])
            if lost:
                unscaled[name] = tuple(dict.fromkeys(names[id(module)] for module in lost))
        reached: dict[str, list[str]] = {name: [] for name in drives}
        for layer, line in self._monitor.own_ledger.lines.items():
            inside = [name for name in drives if layer.startswith(f"{name}.")]
            for name in inside or _spikes_behind(seen, line.synops):
                reached.setdefault(name, []).append(layer)
        ends = {name: tuple(layers) for name, layers in reached.items()}
        return Wiring(drives, ends, unscaled)


def _drive(seen: _Seen, currents: list[Node], spiking: nn.Module) -> tuple[Drive, list[nn.Module]]:
    """What drives a layer, and the last modules before it whose parameters do not scale its current."""
    last: dict[int, nn.Parameter] = {}
    unscaled = list[nn.Module]()
    for node in _back(currents, stop={*seen.spikes, *seen.outputs}):
        if node in seen.spikes:
            continue
        module = seen.outputs.get(node)
        found = _leaf(node) if module is None else scales_of(module)
        if module is not None and found is None:
            unscaled.append(module)
        last |= {id(parameter): parameter for parameter in found or ()}
    if unscaled:
        last = {}
    everything = {id(p): p for p in spiking.parameters()}
    for node in _back(currents, stop=seen.spikes):
        everything |= {id(p): p for p in _leaf(node)}
    return Drive(_trained(last), _trained(everything)), unscaled


def _has_a_part(node: Node, module: nn.Module, seen: _Seen) -> bool:
    """Whether a module's own parameters make what it gives: they are no mere terms of a sum, and it is no inner layer's."""
    own = {id(p) for p in module.parameters(recurse=False) if p.requires_grad}
    if not own or is_parametrized(module):  # nothing to ask for, or found where they come from
        return True
    inside = {id(each) for each in module.modules()} - {id(module)}
    left, known, others = [node], {node}, False
    while left:
        now = left.pop()
        for each in [each for each, _ in now.next_functions if each is not None]:
            term = now.name() in _SUMS and bool(_leaf(_source(each)))
            if term or id(seen.outputs.get(each)) in inside:
                others = True
            elif own & {id(p) for p in _leaf(each)}:
                return True
            elif not (each in known or each in seen.spikes or each in seen.outputs):
                known.add(each)
                left.append(each)
    return not others


def _source(node: Node) -> Node:
    """The first node of a chain of views and the like."""
    while len(node.next_functions) == 1 and (before := node.next_functions[0][0]) is not None:
        node = before
    return node


def _trained(found: Mapping[int, nn.Parameter]) -> tuple[nn.Parameter, ...]:
    return tuple(p for p in found.values() if p.requires_grad)


def _leaf(node: Node) -> list[nn.Parameter]:
    """The parameter whose gradient a node adds up, if it does."""
    variable = getattr(node, "variable", None)
    return [variable] if isinstance(variable, nn.Parameter) else []


def _spikes_behind(seen: _Seen, count: object) -> list[str]:
    nodes = [count.grad_fn] if isinstance(count, Tensor) and count.grad_fn is not None else []
    return list(
        dict.fromkeys(seen.spikes[n] for n in _back(nodes, seen.spikes) if n in seen.spikes)
    )


def _back(nodes: list[Node], stop: Any) -> Iterator[Node]:
    """All nodes behind some, not further than those to stop at, which are among them."""
    known, left = set(nodes), list(nodes)
    while left:
        node = left.pop()
        yield node
        if node in stop:
            continue
        following = [each for each, _ in node.next_functions if each is not None]
        left += [each for each in following if each not in known]
        known.update(following)


def _tensors(output: Any) -> list[Tensor]:
    parts = output if isinstance(output, (tuple, list)) else (output,)
    return [each for each in parts if isinstance(each, Tensor)]
