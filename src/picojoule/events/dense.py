"""A stage as PyTorch runs it, where there are so many events that a dense product is quicker."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from picojoule.events.graph import Stage, Term
from picojoule.events.pooled import adds_up_windows, through_pooling
from picojoule.events.states import Samples, StageStates
from picojoule.layers import SqueezeMixin, StatefulLayer


def arriving(term: Term, frames: Tensor) -> Tensor:
    """What arrives at a term's weights, `(b t) *n`, of its source's frames, `b t *m`."""
    data = frames.flatten(0, 1)
    for module in term.modules[: _place_of_weights(term)]:
        data = through_pooling(module, data) if adds_up_windows(module) else module(data)
    return data


def run_dense(
    stage: Stage,
    inputs: list[Tensor],
    bias: Tensor | None,
    neuron: StatefulLayer | None,
    states: StageStates,
    which: Samples,
) -> Tensor:
    """What a stage gives out, `b t *n`, and its states for the samples `which`.

    Args:
        stage: the stage.
        inputs: what arrives at the weights of each term, `(b t) *m`; they are taken out, so that the neurons write where they were.
        bias: :func:`other_bias` of the stage.
        neuron: a copy of the stage's layer, to work in.
        states: of the stage; those of `which` are read and written.
        which: samples, `b`.
    """
    total = _summed(stage, inputs)
    if bias is not None:
        total = total + bias
    current = total.reshape(len(which), -1, *total.shape[1:])
    del total
    if neuron is None:
        return current.float()
    states.give(neuron, which)
    spikes = _forward(neuron, current)
    sums = neuron.output_sums
    states.fired_densely += spikes.sum((0, 1)) if sums is None else sums
    states.take(neuron, which)
    return spikes.float()  # parameters of the neurons may be wider


def _summed(stage: Stage, inputs: list[Tensor]) -> Tensor:
    """What arrives at the neurons, `(b t) *n`."""
    total = None
    for term in stage.terms:
        part = _through_weights(term, inputs.pop(0))
        total = part if total is None else total + part
    assert total is not None
    return total


def is_moved(term: Term) -> bool:
    """Whether something, such as a pooling, lies between the source and the weights of a term."""
    return term.layer is not None and _place_of_weights(term) > 0


def _place_of_weights(term: Term) -> int:
    return len(term.modules) if term.layer is None else term.modules.index(term.layer)


def _through_weights(term: Term, data: Tensor) -> Tensor:
    for module in term.modules[_place_of_weights(term) :]:
        data = module(data)
    return data


def other_bias(stage: Stage) -> Tensor | None:
    """What arrives in every step beyond what the weighted layers add themselves; None for nothing."""
    own = [term.own_bias() for term in stage.terms]
    missing = [-bias for bias in own if bias is not None]
    if stage.bias is not None:
        missing.append(stage.bias)
    total = sum(missing[1:], missing[0]) if missing else None
    return total if total is not None and bool(total.any()) else None


def _forward(layer: StatefulLayer, current: Tensor) -> Tensor:
    """The layer's own forward, `b t *n`, also of one that takes both axes in one."""
    if isinstance(layer, SqueezeMixin):
        unfolded: Any = super(SqueezeMixin, layer)
        return unfolded.forward(current)  # type: ignore[no-any-return]
    return layer(current)  # type: ignore[no-any-return]
