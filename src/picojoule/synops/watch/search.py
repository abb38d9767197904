"""Neurons of classes that nobody knows, found by what they do in a forward pass.

A neuron gives back as many values as it gets. What it gets is no spikes, what it gives is: zeros, and whole
multiples of one value. And it has time: it goes through one axis of its input, one entry after the other, or it is
called step by step and keeps a potential. Without time it only looks like a neuron, and is not taken for one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from picojoule.synops.watch.entries import SplitAxis, entries_taken
from picojoule.synops.watch.judged import can_be_read, multiples, worth
from picojoule.synops.watch.nested import nested_tensors
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.spiking import Spiking

_FOUND = Spiking("loop", signed=True, closed=False, unit=None, sure=False)


@dataclass
class _RunningModule:
    """A module that is running: the axes it goes through, and what is inside."""

    module: nn.Module
    known: bool  # whether it is a neuron
    inside: bool  # whether it is part of one
    entries: dict[SplitAxis, set[int]] = field(default_factory=lambda: defaultdict(set))
    counts: bool = False  # whether synapses were counted inside
    settled: bool = False  # whether a neuron was found inside


class Missed(NamedTuple):
    """A call of what may be a neuron, though what it got looks like spikes."""

    name: str
    module: nn.Module
    input: Tensor
    output: Tensor


class NeuronSearch:
    """Looks at one forward pass. Waits for the device at the modules that may be neurons.

    Args:
        origins: what the tensors of this pass are.
    """

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._calls: list[_RunningModule] = []
        self._missed: dict[str, list[Missed]] = {}
        self.found: dict[str, Spiking] = {}  # by type
        self.alike: dict[str, str] = {}  # types of those that only look like neurons, by name

    def enter(self, module: nn.Module, known: bool) -> None:
        """A module begins to run."""
        inside = bool(self._calls) and (self._calls[-1].known or self._calls[-1].inside)
        self._calls.append(_RunningModule(module, known, inside))

    def see_function(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Note which entries of which axis a function takes out of a tensor."""
        for axis, start in entries_taken(function, args, kwargs):
            self._calls[-1].entries[axis].add(start)

    def see_synapses(self) -> None:
        """Note that the module that runs has synapses of its own."""
        for call in self._calls:
            call.counts = True

    def leave(
        self, name: str, kind: Spiking | None, inputs: list[Tensor], output: Any
    ) -> Spiking | None:
        """A module has run; gives what it was known to be, with the time axis that was seen, or what it was found to be."""
        call = self._calls.pop()
        if kind is not None:
            supposed = kind.unit is None and not kind.closed and inputs
            return (self._timed(call, inputs[0], kind) if supposed else None) or kind
        if call.inside:
            return None
        found = None if call.settled else self._found(name, call, inputs, output)
        if self._calls:
            self._calls[-1].settled |= call.settled or found is not None
        return found

    def missed(self, name: str) -> list[Missed]:
        """Earlier calls of a module that was found to be a neuron."""
        return self._missed.pop(name, [])

    def missed_of_found_types(self) -> list[Missed]:
        """Calls of modules that were never found, though others of their type were."""
        calls = [call for calls in self._missed.values() for call in calls]
        return [call for call in calls if type(call.module).__name__ in self.found]

    def _found(
        self, name: str, call: _RunningModule, inputs: list[Tensor], output: Any
    ) -> Spiking | None:
        made, module = nested_tensors([output]), call.module
        if call.counts or not inputs or not made or not name:
            return None
        if type(module).__module__.partition(".")[0] == "torch":
            return None
        x, y = inputs[0], made[0]
        if not (x.is_floating_point() and y.is_floating_point() and x.numel() == y.numel() > 0):
            return None
        if x is y or not can_be_read(y) or not _is_spikes(y):
            return None
        if not self._dense(x):
            self._missed.setdefault(name, []).append(Missed(name, module, x, y))
            return None
        found = self._timed(call, x, _FOUND)
        if found is None and _keeps_potential(module, inputs, made):
            found = _FOUND
        kind = type(module).__name__
        if found is None:
            self.alike[name] = kind
            return None
        self.alike = {n: t for n, t in self.alike.items() if not n.startswith(f"{name}.")}
        self.found[kind] = found
        return found

    def _dense(self, x: Tensor) -> bool:
        known = self._origins.known(x)
        spikes = known is not None and known.kind == "spikes" and known.whole is None
        return not spikes and not bool(multiples(x, 1.0))

    def _timed(self, call: _RunningModule, x: Tensor, kind: Spiking) -> Spiking | None:
        """The kind with the axis that the module went through, if it is one."""
        whole = [
            axis
            for axis, starts in call.entries.items()
            if axis.is_all(starts) and math.prod(axis.shape) == x.numel()
        ]
        several = [axis for axis in whole if axis.parts > 1] or whole
        time = _time_of(several[0], tuple(x.shape)) if len(several) == 1 else None
        return None if time is None else kind._replace(**time, sure=True)


def _time_of(over: SplitAxis, shape: tuple[int, ...]) -> dict[str, Any] | None:
    """What it says of a neuron that was given this shape that it went over such an axis."""
    last = len(shape) - 1
    if over.shape == shape and over.width == 1:
        times = {last: "last", 1: "bt", 0: "tb"}
        return {"time_axis": times[over.axis]} if over.axis in times else None
    folded = {"time_axis": "folded", "num_timesteps": over.parts}
    if over.shape == shape:
        return folded | {"time_first": True} if over.axis == 0 else None
    if over.axis < 2 and over.width == 1 and shape[0] == math.prod(over.shape[:2]):
        return folded | {"time_first": over.axis == 0}
    return None


def _is_spikes(y: Tensor) -> bool:
    """Zeros, and whole numbers or one other value."""
    unit = worth(y)
    values = y.detach().abs()
    near = (values - unit).abs() <= 8 * torch.finfo(
        y.dtype
    ).eps * unit  # a straight-through sum is rounded
    one_value = (near | (values == 0)).all()
    return bool((values == 0).any() & (one_value | multiples(y, 1.0)))


def _keeps_potential(module: nn.Module, inputs: list[Tensor], made: list[Tensor]) -> bool:
    """Whether it gives back, or holds, another tensor of values as many as its spikes."""
    attributes = {name: value for name, value in vars(module).items() if name != "_parameters"}
    kept = [*made[1:], *nested_tensors([attributes])]
    own = {id(x) for x in (*inputs, made[0])}
    return any(
        x.is_floating_point() and id(x) not in own and x.shape == made[0].shape for x in kept
    )
