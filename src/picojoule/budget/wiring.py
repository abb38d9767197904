"""Which weights drive each spiking layer, and which counted layers its spikes reach: read off one pass's graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.utils.parametrize import is_parametrized

from picojoule.budget.graph import back, leaf, source, trained
from picojoule.budget.normalised import undone_at, undone_in_training_at
from picojoule.budget.scales import scales_of
from picojoule.layers import HookHandles
from picojoule.layers.weak_hook import WeakHook
from picojoule.synops.counting_monitor import CountingMonitor

_SUMS = ("AddBackward0", "SubBackward0")


@dataclass(frozen=True)
class Drive:
    """What drives one spiking layer.

    Args:
        last: parameters of the last modules before its input, weights and biases: times a factor, its current is. None of
            them if those of one module do not.
        all: every parameter on the way from the spikes before to its spikes, its own included.
        undone: whether a batch normalisation undoes such a factor as long as it trains.
    """

    last: tuple[nn.Parameter, ...]
    all: tuple[nn.Parameter, ...]
    undone: bool = False

    @property
    def scaled(self) -> tuple[nn.Parameter, ...]:
        """Those that a factor is put on: `last`, unless one of them has been frozen."""
        return self.last if all(p.requires_grad for p in self.last) else ()


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
                drive.undone,
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
        modules = dict(monitor.model.named_modules())
        inside = {id(m) for n in monitor.spiking_layers for m in modules[n].modules()}
        for name in monitor.spiking_layers:
            enters, leaves = WeakHook(self._enters, name), WeakHook(self._spikes, name)
            self._handles.add(modules[name].register_forward_pre_hook(enters))
            self._handles.add(modules[name].register_forward_hook(leaves))
        for module in modules.values():
            own = next(module.parameters(recurse=False), None) is not None
            if id(module) not in inside and (own or is_parametrized(module)):
                self._handles.add(module.register_forward_hook(WeakHook(self._leaves)))

    def knows(self, spiking: tuple[str, ...]) -> bool:
        """Whether these are the layers that it watches."""
        return spiking == self._spiking

    @property
    def saw(self) -> bool:
        """Whether there was a pass with gradients."""
        return bool(self._seen.spikes)

    def remove(self) -> None:
        """Take the hooks off; those of copies of the model do nothing anyway."""
        self._handles.remove()

    def _enters(self, _: nn.Module, name: str, inputs: tuple[Any, ...]) -> None:
        nodes = [x.grad_fn for x in inputs[:1] if isinstance(x, Tensor) and x.grad_fn is not None]
        self._seen.currents.setdefault(name, []).extend(nodes)

    def _spikes(self, _: nn.Module, name: str, __: object, output: Any) -> None:
        for each in _tensors(output):
            if each.grad_fn is not None:
                self._seen.spikes[each.grad_fn] = name

    def _leaves(self, module: nn.Module, _: object, output: Any) -> None:
        for each in _tensors(output):
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
    unscaled, lost = list[nn.Module](), False
    stop = {*seen.spikes, *seen.outputs}
    nodes = list(back(currents, stop))
    between = [node for node in nodes if node not in stop]
    hidden = set(back(undone_at(between), stop))
    in_training = set(back(undone_in_training_at(between), stop))
    for node in nodes:
        if node in seen.spikes:
            continue
        module = seen.outputs.get(node)
        found = leaf(node) if module is None else scales_of(module)
        away = found is None or (node in hidden and any(p.requires_grad for p in found))
        lost |= away
        if module is not None and away:
            unscaled.append(module)
        last |= {id(parameter): parameter for parameter in found or ()}
    if lost:
        last = {}
    everything = {id(p): p for p in spiking.parameters()}
    for node in back(currents, stop=seen.spikes):
        everything |= {id(p): p for p in leaf(node)}
    undone = any(node in in_training for node in nodes if node in seen.outputs or leaf(node))
    return Drive(trained(last), trained(everything), undone), unscaled


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
            term = now.name() in _SUMS and bool(leaf(source(each)))
            if term or id(seen.outputs.get(each)) in inside:
                others = True
            elif own & {id(p) for p in leaf(each)}:
                return True
            elif not (each in known or each in seen.spikes or each in seen.outputs):
                known.add(each)
                left.append(each)
    return not others


def _spikes_behind(seen: _Seen, count: object) -> list[str]:
    nodes = [count.grad_fn] if isinstance(count, Tensor) and count.grad_fn is not None else []
    return list(dict.fromkeys(seen.spikes[n] for n in back(nodes, seen.spikes) if n in seen.spikes))


def _tensors(output: Any) -> list[Tensor]:
    parts = output if isinstance(output, (tuple, list)) else (output,)
    return [each for each in parts if isinstance(each, Tensor)]
