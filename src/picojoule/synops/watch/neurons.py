"""The neurons of a forward pass: what they made, how often they were updated, how often they fired."""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.activation.transforms import is_batched, is_transformed
from picojoule.synops.magnitudes import Unit, known_sums
from picojoule.synops.watch.detail import RateDetails
from picojoule.synops.watch.firings import Firings
from picojoule.synops.watch.function_call import tensors
from picojoule.synops.watch.judged import each_its_own
from picojoule.synops.watch.learned import Learned
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.origin import DENSE, SIGNED_SPIKES, SPIKES, Origin
from picojoule.synops.watch.origins import Origins, by_values
from picojoule.synops.watch.pass_size import PassSize
from picojoule.synops.watch.search import NeuronSearch
from picojoule.synops.watch.shared_cells import CellCalls
from picojoule.synops.watch.spiking import Spiking, holds_state, sums_of_own_layer
from picojoule.synops.watch.step_count import StepCount


class Neurons:
    """Those of one forward pass.

    Args:
        learned: what earlier passes found out; this one adds to it if it is the first.
        origins: where to note what they make.
        ledger: where to note how often they were updated and fired.
        step_count: where to note what they were given.
        details: where to note when they fired, if that was asked for.
    """

    def __init__(
        self,
        learned: Learned,
        origins: Origins,
        ledger: Ledger,
        step_count: StepCount,
        details: RateDetails | None = None,
    ) -> None:
        self._details = details
        self._learned, self._origins, self._ledger, self._step_count = (
            learned,
            origins,
            ledger,
            step_count,
        )
        self.search = None if learned.complete else NeuronSearch(origins)
        origins.unexplained = None if learned.complete else []
        self.found: dict[str, str] = {}  # types of those that were found by what they do, by name
        self._given: list[list[Tensor]] = []
        self._goes_on: list[bool] = []  # whether neurons that run began from a state
        self._shared = {id(module) for module in learned.shared}
        self._cells: dict[str, tuple[nn.Module, CellCalls]] = {}  # those called step by step
        self._fired = Firings()

    @property
    def any(self) -> bool:
        """Whether there were any."""
        return bool(self._ledger.updates)

    def see_function(self, function: Any, args: Any, kwargs: Any) -> None:
        """Note what the module that runs takes out of its tensors, while neurons are looked for."""
        if self.search is not None:
            self.search.see_function(function, args, kwargs)

    def see_synapses(self) -> None:
        """Note that the module that runs has synapses, while neurons are looked for."""
        if self.search is not None:
            self.search.see_synapses()

    def see_sample(self, x: Tensor) -> None:
        """Note that a layer took what the model was called with for one sample."""
        self._step_count.see_sample(x)

    def enter(self, module: nn.Module, kind: Spiking | None, inputs: list[Tensor]) -> None:
        """A module begins to run.

        Raises:
            NotImplementedError: it is a neuron, and what it makes cannot be seen under `torch.func.vmap`.
        """
        if kind is not None and is_batched():
            raise NotImplementedError(
                f"Monitor: neurons ({type(module).__name__}) are called under torch.func.vmap, under which nobody can see their spikes, "
                "so they cannot be counted. Give them the samples as an axis, or call the model inside monitor.paused()."
            )
        self._given.append(inputs)
        over_time = kind is not None and kind.time_axis != "loop"
        self._goes_on.append(over_time and (len(inputs) > 1 or holds_state(module)))
        if self.search is not None:
            self.search.enter(module, kind is not None)

    def leave(
        self, name: str, module: nn.Module, kind: Spiking | None, inputs: list[Tensor], output: Any
    ) -> None:
        """A module has run, or failed."""
        failed = output is None and sys.exc_info()[0] is not None
        self._given.pop()
        goes_on = self._goes_on.pop()
        seen = kind
        if self.search is not None:
            seen = self.search.leave(name, kind, inputs, output)
            if seen is not None and seen is not kind:
                self._learned.kinds[module] = seen
                if kind is None:
                    self.found[name] = type(module).__name__
                    for missed in self.search.missed(name):
                        self._made(name, module, seen, [missed.input], missed.output)
        if seen is not None and not failed:
            self._made(name, module, seen, inputs, output, goes_on)

    def feed(self, inside: list[Tensor]) -> None:
        """Note tensors that a running neuron, whose functions are not looked at, hands to a layer inside it.

        A view of what the neuron was given is what it was given; of what it made itself the values tell.
        """
        given = self._given[-1]
        for x in inside:
            if not x.is_floating_point() or self._origins.known(x) is not None:
                continue
            own = [g for g in given if g is x or _is_view_of_all(x, g)]
            if own:
                origin = self._origins.of(own[0])
                if own[0] is not x and origin.kind != "constant" and _one_unit(origin):
                    self._origins.put(x, origin)
            elif not self._origins.is_constant(x):
                self._origins.put(x, by_values(x))

    def finish(self, size: PassSize | None = None) -> None:
        """The pass is over: what was missed is made good, and what is doubtful is noted.

        Args:
            size: of the pass, whatever the layers have; None where each layer's rate is per its own steps.
        """
        if self.search is not None:
            for call in self.search.missed_of_found_types():
                kind = self.search.found[type(call.module).__name__]
                self._learned.kinds[call.module] = kind
                self.found[call.name] = type(call.module).__name__
                self._made(call.name, call.module, kind, [call.input], call.output)
        for name, spikes, entries in self._fired.by_name():
            steps = entries if size is None else size.samples * size.num_timesteps
            self._ledger.add_rate(name, spikes, steps)
        for name, (module, calls) in self._cells.items():
            if len(calls.by_layer) > 1:
                self._learned.shared.add(module)
                self._step_count.see_layers(name, calls)

    # ---- what a neuron made

    def _made(
        self,
        name: str,
        module: nn.Module,
        kind: Spiking,
        inputs: list[Tensor],
        output: Any,
        goes_on: bool = False,
    ) -> None:
        made = tensors([output]) or _boolean_attributes(module)
        if not made:
            return
        spikes = made[0]
        first = inputs[0] if inputs else spikes
        adds_time = spikes.ndim == first.ndim + 1 and spikes.shape[1:] == first.shape
        over_time = spikes if adds_time else first
        self._step_count.see_spiking(name, module, kind, over_time, goes_on)
        if kind.time_axis == "loop" and (self.search is not None or id(module) in self._shared):
            self._cells.setdefault(name, (module, CellCalls()))[1].add(inputs, made)
        # a readout may give the last step only, or a list of steps
        whole = spikes.ndim < first.ndim and first.shape[1:] == spikes.shape
        updates = first if whole and kind.time_axis == "tb" else spikes
        self._ledger.add_updates(name, type(module).__name__, updates.numel())
        if not kind.spikes:
            for x in made:
                self._origins.put(x, DENSE)
            return
        self._origins.put(spikes, self._origin(name, module, kind, spikes))
        lead = kind.leading(spikes.ndim)
        # a transform would have to know how the sums come about
        known = None if kind.signed or is_transformed() else sums_of_own_layer(module)
        if known is not None and known.shape == spikes.shape[len(lead) :]:
            self._origins.put_sums(spikes, len(lead), known_sums(spikes, known))
        if not self._learned.values.are_potentials(module):
            fired = self._origins.magnitudes(spikes)
            if self._details is not None:
                self._details.add(name, fired, spikes.shape, lead)
            entries = math.prod(spikes.shape[axis] for axis in lead)
            self._fired.add(name, fired.over(lead), entries)

    def _origin(self, name: str, module: nn.Module, kind: Spiking, spikes: Tensor) -> Origin:
        if not spikes.is_floating_point():
            return SIGNED_SPIKES
        unit = kind.unit
        if unit is None or isinstance(unit, str):
            own = unit == "any"
            return (
                each_its_own(spikes) if own else self._judged(name, module, spikes, unit == "whole")
            )
        layer = _made_by_layer if isinstance(unit, Tensor) else _of_one_unit
        return layer(kind.signed, unit)

    def _judged(self, name: str, module: nn.Module, spikes: Tensor, whole_first: bool) -> Origin:
        first, values = not self._learned.complete, self._learned.values
        origin = values.origin(module, spikes, whole_first, first=first)
        if values.are_potentials(module):
            self._fired.drop(name)
        return origin


def _made_by_layer(signed: bool, unit: Unit) -> Origin:
    plain = SIGNED_SPIKES if signed else SPIKES
    return plain.of_layer(unit)


_of_one_unit = lru_cache(maxsize=256)(_made_by_layer)


def _boolean_attributes(module: nn.Module) -> list[Tensor]:
    """Where a module that gives nothing back keeps its spikes."""
    held = [*vars(module).values(), *module._buffers.values()]
    return [x for x in held if isinstance(x, Tensor) and x.dtype == torch.bool]


def _is_view_of_all(x: Tensor, other: Tensor) -> bool:
    base = x if x._base is None else x._base
    same = base is other or (other._base is not None and base is other._base)
    return same and (x.numel(), x.storage_offset()) == (other.numel(), other.storage_offset())


def _one_unit(origin: Origin) -> bool:
    return origin.uniform() or (isinstance(origin.unit, Tensor) and origin.unit.ndim == 0)
