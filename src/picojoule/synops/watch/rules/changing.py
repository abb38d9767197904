"""Weights that data change on the way: plasticity, short-term depression, gains of a sample's own.

    effective = weight * resources[:, :, None];   current = (spikes[:, :, None] * effective).sum(1)

A matrix of weights times dense values stays that, until something adds it up: a spike that meets several of its values
arrives at as many synapses, as it does in the `einsum` of the same.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from picojoule.synops.watch.function_call import FunctionCall, tensors
from picojoule.synops.watch.origin import Origin
from picojoule.synops.watch.rules import (
    arithmetic,
    assembling,
    limits,
    moving,
    products,
    selecting,
    storing,
)
from picojoule.synops.watch.rules.registry import Rule

_KEEPING: frozenset[Rule] = frozenset(
    [
        arithmetic.added,
        arithmetic.subtracted,
        arithmetic.subtracted_from,
        arithmetic.negated,
        arithmetic.divided,
        assembling.assembled,
        limits.clamped,
        limits.clamped_above,
        limits.clamped_below,
        limits.rectified,
        moving.kept,
        moving.moved,
        moving.viewed,
        products.multiplied,
        selecting.picked,
        storing.stored,
    ]
)


def with_changed_weights(call: FunctionCall, found: Rule, origin: Origin) -> Origin:
    """The origin of what data have a part in, with the weights that they have changed."""
    if origin.kind != "dense":
        return origin
    parameters = _changed(call, found) if found in _KEEPING else frozenset[int]()
    if parameters == origin.parameters:
        return origin
    return replace(origin, parameters=parameters)


def _changed(call: FunctionCall, found: Rule) -> frozenset[int]:
    none, origins = frozenset[int](), call.origins
    given = tensors(call.values)
    if found is not products.multiplied:
        return none.union(*map(origins.changed_weights, given))
    if any(_are_spikes(origins.of(x)) for x in given):  # which have arrived
        return none
    return none.union(*(origins.changed_weights(x) | _matrix(call, x) for x in given))


def _are_spikes(origin: Origin) -> bool:
    return origin.kind == "spikes" and not origin.is_without_data()


def _matrix(call: FunctionCall, x: Tensor) -> frozenset[int]:
    several = sum(length > 1 for length in x.shape) > 1
    return call.origins.weights_in(x) if several else frozenset()
