"""From a model to the graph of its stages: follow a sample through it, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.convert.batch_norm import with_folded_norms
from picojoule.convert.graph import AFFINE
from picojoule.convert.nir.scale import Scale
from picojoule.convert.trace import INPUT, OUTPUT, Asker, Trace, TracedCall, trace
from picojoule.events.graph import EventGraph, Stage, Term
from picojoule.events.sample_axes import batch_and_steps, has_features_last, leading_axes
from picojoule.events.signals import Signal
from picojoule.events.terms import CannotRunError, largest, moved, per_channel, weighted
from picojoule.layers import ALIF, LIF, StatefulLayer

_ASKER = Asker(
    "events.compile",
    "the engine runs layers",
    "which the engine cannot follow. Write it as a layer, such as nn.Flatten or picojoule.layers.Merge.",
)
_MAX_POOLS = nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d


@dataclass(frozen=True)
class Arriving:
    """A sum that is not given out yet: terms, and what is added in every step (`*n`, or None)."""

    terms: tuple[Term, ...]
    shape: tuple[int, ...]
    channels_first: bool
    bias: Tensor | None = None

    def is_signal(self) -> bool:
        """Whether it is one signal as it is."""
        return len(self.terms) == 1 and not self.terms[0].modules and self.bias is None

    def has_weights(self) -> bool:
        """Whether a term went through a weighted layer."""
        return self.bias is not None or any(term.layer is not None for term in self.terms)


def follow(model: nn.Module, sample: Tensor) -> EventGraph:
    """The stages of a model.

    Args:
        model: a network of Picojoule's layers, in any mode; it and its states stay as they are.
        sample: an input for it, which gives the shapes.

    Raises:
        NotImplementedError: a layer has no event-driven kernel; the message names it.
        ValueError: a weight is not finite, or there are no neurons.
    """
    if sample.layout == torch.sparse_coo:
        sample = torch.zeros(sample.shape, dtype=sample.dtype)
    folded = with_folded_norms(model)
    traced = trace(_ASKER, folded, sample)
    for call in traced.calls.values():  # a copy's: the user's hooks are for the model
        call.module._forward_hooks.clear()
        call.module._forward_pre_hooks.clear()
    return _Follower(type(model).__name__, traced, sample).graph()


class _Follower:
    """Goes through the calls in order, and keeps what each gives."""

    def __init__(self, model: str, traced: Trace, sample: Tensor) -> None:
        self._traced = traced
        shape = tuple(sample.shape[leading_axes(traced, sample) :])
        _check_values(f"the sample, of shape {tuple(sample.shape)},", shape)
        first = len(shape) > 1 and not has_features_last(traced)
        signal = Signal(INPUT, shape, first, is_spikes=False)
        self._graph = EventGraph(model, signal, folded_input=sample.ndim - len(shape) == 1)
        sizes, self._graph.batch_size, self._graph.num_timesteps = batch_and_steps(traced)
        self._sizes = sizes  # of the sample
        self._fired_before: dict[int, str] = {}
        self._given = {INPUT: Arriving((Term.of(0, signal),), shape, first)}

    def graph(self) -> EventGraph:
        """All stages."""
        for name, call in self._traced.calls.items():
            arriving = self._sum([a for a, b in self._traced.edges if b == name])
            self._given[name] = self._called(name, call, arriving)
            if self._users(name) > 1 and self._given[name].has_weights():
                self._given[name] = self._passed_on(call.path, self._given[name])
        result = self._sum([a for a, b in self._traced.edges if b == OUTPUT])
        if not result.is_signal():
            result = self._passed_on(OUTPUT, result)
        self._graph.output = result.terms[0].source
        self._graph.folded_output = self._is_folded(self._traced.result_shape, result.shape)
        return self._graph

    def _is_folded(self, given: tuple[int, ...], step: tuple[int, ...]) -> bool:
        """Whether what the model gives out has batch and time in one axis."""
        batch, steps = self._sizes
        if given not in ((batch, steps, *step), (batch * steps, *step)):
            raise NotImplementedError(
                f"events.compile: the model gives out the shape {given}, expected ({batch}, {steps}, ...) or ({batch * steps}, ...), "
                f"then {step}: batch and time, apart or in one axis, and the axes of a step."
            )
        return len(given) - len(step) == 1

    def _called(self, name: str, call: TracedCall, arriving: Arriving) -> Arriving:
        layer, path = call.module, call.path
        if isinstance(layer, StatefulLayer):
            return self._fired(path, layer, arriving)
        output = call.output_shape[len(call.input_shape) - len(arriving.shape) :]
        _check_values(f"layer {path!r} ({type(layer).__name__})", output)
        if isinstance(layer, Scale):
            return self._scaled(path, layer, arriving)
        if arriving.has_weights():
            arriving = self._passed_on(self._last_path(arriving, path), arriving)
        if isinstance(layer, AFFINE):
            terms = tuple(replace(term, call=name) for term in arriving.terms)
            return self._weighted(path, layer, replace(arriving, terms=terms), output)
        if isinstance(layer, _MAX_POOLS):
            return self._largest(path, layer, arriving, output)
        terms = tuple(moved(path, layer, term, output) for term in arriving.terms)
        return replace(
            arriving,
            terms=terms,
            shape=output,
            channels_first=arriving.channels_first and len(output) > 1,
        )

    def _weighted(
        self, path: str, layer: Any, arriving: Arriving, output: tuple[int, ...]
    ) -> Arriving:
        terms = tuple(weighted(path, layer, term, output) for term in arriving.terms)
        first = not isinstance(layer, nn.Linear)
        bias = terms[0].own_bias()
        return Arriving(terms, output, first, None if bias is None else bias.broadcast_to(output))

    def _scaled(self, path: str, layer: Scale, arriving: Arriving) -> Arriving:
        if not arriving.has_weights():
            raise CannotRunError(
                path, layer, "scales spikes; put its factors into the weights behind it."
            )
        axis = 0 if arriving.channels_first else -1
        gain = per_channel(path, layer, layer.scale, arriving.shape, axis)
        terms = tuple(
            replace(
                term,
                gain=gain if term.gain is None else term.gain * gain,
                modules=(*term.modules, Scale(layer.scale)),
            )
            for term in arriving.terms
        )
        shift = layer.shift.detach().broadcast_to(arriving.shape)
        bias = None if arriving.bias is None else arriving.bias * layer.scale
        if bool(shift.any()):
            bias = shift if bias is None else bias + shift
        return replace(arriving, terms=terms, bias=bias)

    def _fired(self, path: str, layer: StatefulLayer, arriving: Arriving) -> Arriving:
        if not isinstance(layer, LIF | ALIF):
            raise CannotRunError(
                path,
                layer,
                "is no neuron of the engine's, which are IAF, LIF, ALIF and ExpLeak, recurrent ones too.",
            )
        if id(layer) in self._fired_before:
            raise CannotRunError(
                path,
                layer,
                "is used more than once in a time step, and the second use goes on from the states of the first. Give each use a "
                "layer of its own.",
            )
        self._fired_before[id(layer)] = path
        try:
            layer.check_parameters()
        except ValueError as error:
            fault = str(error).partition(": ")[2]
            raise ValueError(
                f"events.compile: layer {path!r} ({type(layer).__name__}): {fault}"
            ) from error
        signal = Signal(path, arriving.shape, arriving.channels_first, layer.does_spike)
        return self._given_out(Stage(path, signal, arriving.terms, arriving.bias, layer))

    def _passed_on(self, path: str, arriving: Arriving) -> Arriving:
        signal = Signal(path, arriving.shape, arriving.channels_first, is_spikes=False)
        return self._given_out(Stage(path, signal, arriving.terms, arriving.bias))

    def _largest(
        self, path: str, layer: nn.Module, arriving: Arriving, output: tuple[int, ...]
    ) -> Arriving:
        if not arriving.is_signal():
            arriving = self._passed_on(path, arriving)
        if not self._graph.signal(arriving.terms[0].source).is_spikes:
            raise CannotRunError(
                path, layer, "pools values that may be negative; put it behind a layer that spikes."
            )
        signal = Signal(path, output, arriving.channels_first)
        terms = (largest(path, layer, arriving.terms[0], output),)
        return self._given_out(Stage(path, signal, terms, takes_largest=True))

    def _given_out(self, stage: Stage) -> Arriving:
        self._graph.stages.append(stage)
        signal = stage.signal
        return Arriving(
            (Term.of(len(self._graph.stages), signal),), signal.shape, signal.channels_first
        )

    def _sum(self, names: list[str]) -> Arriving:
        parts = [self._given[name] for name in names]
        shapes = {part.shape for part in parts}
        if len(shapes) > 1:
            raise NotImplementedError(
                f"events.compile: {' and '.join(names)} are added up but have shapes {sorted(shapes)} a step; expected one shape."
            )
        biases = [part.bias for part in parts if part.bias is not None]
        terms = tuple(term for part in parts for term in part.terms)
        return replace(parts[0], terms=terms, bias=sum(biases[1:], biases[0]) if biases else None)

    def _last_path(self, arriving: Arriving, otherwise: str) -> str:
        return next((term.path for term in arriving.terms if term.path), otherwise)

    def _users(self, name: str) -> int:
        return sum(a == name for a, _ in self._traced.edges)


def _check_values(where: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError if a step has no values, so that there is nothing to run."""
    if 0 in shape:
        raise ValueError(
            f"events.compile: {where} gives steps of shape {shape}, which have no values. Check its sizes: what is cut off an image may "
            "be all of it."
        )
