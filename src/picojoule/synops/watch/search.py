"""Neurons of classes that nobody knows, found by what they do in a forward pass.

A neuron gives back as many values as it gets. What it gets is no spikes, what it gives is: zeros, and whole
multiples of one value. And it has time: it goes through one axis of its input, one entry after the other, or it is
called step by step and keeps a potential. Without time it only looks like a neuron, and is not taken for one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn

from picojoule.synops.watch.judged import can_be_read, multiples, worth
from picojoule.synops.watch.nested import nested_tensors
from picojoule.synops.watch.origin import Origins
from picojoule.synops.watch.spiking import Spiking

_FOUND = Spiking("loop", signed=True, closed=False, unit=None, sure=False)
Axis = tuple[tuple[int, ...], int]  # the shape of a tensor, and one of its axes


@dataclass
class _Call:
    """A module that is running: the axes it goes through, and what is inside."""

    module: nn.Module
    known: bool  # whether it is a neuron
    inside: bool  # whether it is part of one
    entries: dict[Axis, set[int]] = field(default_factory=lambda: defaultdict(set))
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
        self._calls: list[_Call] = []
        self._missed: dict[str, list[Missed]] = {}
        self.found: dict[str, Spiking] = {}  # by type
        self.alike: dict[str, str] = {}  # types of those that only look like neurons, by name

    def enter(self, module: nn.Module, known: bool) -> None:
        """A module begins to run."""
        inside = bool(self._calls) and (self._calls[-1].known or self._calls[-1].inside)
        self._calls.append(_Call(module, known, inside))

    def see_function(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Note which entries of which axis a function takes out of a tensor."""
        for axis, index in _taken(function, args, kwargs):
            self._calls[-1].entries[axis].add(index)

    def see_synapses(self) -> None:
        """Note that the module that runs has synapses of its own."""
        for call in self._calls:
            call.counts = True

    def leave(
        self, name: str, kind: Spiking | None, inputs: list[Tensor], output: Any
    ) -> Spiking | None:
        """A module has run: what it was known to be, with the time that was seen; or what it was found to be."""
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

    def _found(self, name: str, call: _Call, inputs: list[Tensor], output: Any) -> Spiking | None:
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

    def _timed(self, call: _Call, x: Tensor, kind: Spiking) -> Spiking | None:
        """The kind with the axis that the module went through, if it is one."""
        whole = [
            (shape, axis)
            for (shape, axis), indices in call.entries.items()
            if indices == set(range(shape[axis])) and _entries(shape) == x.numel()
        ]
        several = [(shape, axis) for shape, axis in whole if shape[axis] > 1] or whole
        if len(several) != 1:
            return None
        (shape, axis), shape_of_x = several[0], tuple(x.shape)
        if shape == shape_of_x:
            times = {0: "tb", 1: "bt", len(shape) - 1: "last"}
            axes = {0: "tb", 1: "bt"} if len(shape) > 1 else {0: "tb"}
            time: Any = axes.get(axis) or times.get(axis)
            return None if time is None else kind._replace(time=time, sure=True)
        if axis < 2 and len(shape) > 1 and shape_of_x[0] == shape[0] * shape[1]:
            return kind._replace(
                time="folded", time_first=axis == 0, num_timesteps=shape[axis], sure=True
            )
        return None


def _taken(function: Any, args: Any, kwargs: Any) -> Iterable[tuple[Axis, int]]:
    name = getattr(function, "__name__", "")
    if (
        name not in ("__getitem__", "select", "unbind")
        or not args
        or not isinstance(args[0], Tensor)
    ):
        return
    x = args[0]
    shape = tuple(x.shape)
    if name == "__getitem__":
        place = _one_index(args[1], x.ndim)
        if place is not None:
            yield (shape, place[0]), place[1] % max(shape[place[0]], 1)
        return
    axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    if not isinstance(axis, int) or not shape:
        return
    axis %= len(shape)
    if name == "unbind":
        for index in range(shape[axis]):
            yield (shape, axis), index
    else:
        index = args[2] if len(args) > 2 else kwargs.get("index")
        if isinstance(index, int):
            yield (shape, axis), index % max(shape[axis], 1)


def _one_index(index: Any, ndim: int) -> tuple[int, int] | None:
    """(axis, entry) of an index that takes one entry of one axis, and all of the others."""
    parts = index if isinstance(index, tuple) else (index,)
    places = [
        i for i, part in enumerate(parts) if isinstance(part, int) and not isinstance(part, bool)
    ]
    others = [part for part in parts if not isinstance(part, int)]
    if len(places) != 1 or not all(map(_is_everything, others)):
        return None
    (place,) = places
    after = any(part is Ellipsis for part in parts[:place])
    axis = ndim - (len(parts) - place) if after else place
    return (axis, parts[place]) if 0 <= axis < ndim else None


def _is_everything(part: Any) -> bool:
    return part is Ellipsis or (isinstance(part, slice) and part == slice(None))


def _is_spikes(y: Tensor) -> bool:
    """Zeros, and whole numbers or one other value."""
    unit = worth(y)
    values = y.detach().abs()
    one_value = ((values == unit) | (values == 0)).all()
    return bool((values == 0).any() & (one_value | multiples(y, 1.0)))


def _keeps_potential(module: nn.Module, inputs: list[Tensor], made: list[Tensor]) -> bool:
    """Whether it gives back, or holds, another tensor of values as many as its spikes."""
    attributes = {name: value for name, value in vars(module).items() if name != "_parameters"}
    kept = [*made[1:], *nested_tensors([attributes])]
    own = {id(x) for x in (*inputs, made[0])}
    return any(
        x.is_floating_point() and id(x) not in own and x.shape == made[0].shape for x in kept
    )


def _entries(shape: tuple[int, ...]) -> int:
    number = 1
    for length in shape:
        number *= length
    return number
