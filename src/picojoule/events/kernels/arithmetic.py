"""What potentials and weights are in a kernel: reals, or the whole numbers of a chip, which stop at the ends of their range."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import types

from picojoule.events.kernels.pointers import pointer_to, reals
from picojoule.events.kernels.tables import VECTOR, bytes_of
from picojoule.events.kernels.vectors import BLOCK, add_vector, found, reach, reach_block
from picojoule.events.kernels.whole_vectors import adder_of_vectors
from picojoule.ops.cpu.inlined import contracted, inlined

_FEW = np.float32(255)  # spikes of an event: as many times a weight of 8 bits fits two bytes
_MOST = np.float32(2**30)  # more spikes than from one end of a range to the other


class Arithmetic(NamedTuple):
    """Numbers, and what is done with them.

    Attributes:
        numbers: the type of a potential.
        weights: the type of a weight.
        size: bytes of a potential.
        lanes: potentials of a vector.
        at: a pointer to potentials from an address.
        weights_at: a pointer to weights from an address.
        is_few: (value): whether vectors can take an event of this value.
        few: (value): the value, for vectors.
        many: (value): the value, for one potential after another.
        plus: (potential, other): their sum.
        add: (target, a, weights, b, value): adds a weight, times a value, to a potential.
        add_vector: the same for a vector of them.
        reach: (v, first, threshold): which of eight potentials are at the threshold, as bits.
        reach_block: the same of a block.
        from_real: a real as a potential.
    """

    numbers: Any
    weights: Any
    size: int
    lanes: int
    at: Any
    weights_at: Any
    is_few: Any
    few: Any
    many: Any
    plus: Any
    add: Any
    add_vector: Any
    reach: Any
    reach_block: Any
    from_real: Any


@inlined
def _always(_value: Any) -> Any:
    return True


@inlined
def _as_it_is(value: Any) -> Any:
    return value


@inlined
def _plus(value: Any, other: Any) -> Any:
    return value + other


@contracted
def _add_real(target: Any, a: Any, weights: Any, b: Any, value: Any) -> None:
    target[a] += value * weights[b]


REALS = Arithmetic(
    types.float32, types.float32, 4, VECTOR, reals, reals,
    _always, _as_it_is, _as_it_is, _plus, _add_real, add_vector, reach, reach_block, _as_it_is,
)  # fmt: skip


@functools.cache
def whole_numbers(bits: int) -> Arithmetic:
    """Weights of 8 bits, and potentials of so many, 2 to 24, that stop at the ends of their range at each event.

    An event of k spikes is k events.
    """
    is_narrow = bytes_of(bits) == 2
    kind: Any = types.int16 if is_narrow else types.int32
    store = np.int16 if is_narrow else np.int32
    lanes = 16 if is_narrow else 8
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    @inlined
    def is_few(value: Any) -> Any:
        return abs(value) <= _FEW

    @inlined
    def few(value: Any) -> Any:
        return store(np.int32(value))

    @inlined
    def many(value: Any) -> Any:
        return np.int64(min(max(value, -_MOST), _MOST))

    @inlined
    def plus(value: Any, other: Any) -> Any:
        total = np.int32(value) + np.int32(other)  # numbers of 24 bits at most
        return store(min(max(total, np.int32(lowest)), np.int32(highest)))

    @inlined
    def add(target: Any, a: Any, weights: Any, b: Any, value: Any) -> None:
        total = np.int64(target[a]) + np.int64(value) * np.int64(weights[b])
        target[a] = store(min(max(total, np.int64(lowest)), np.int64(highest)))

    @inlined
    def from_real(value: Any) -> Any:
        return store(min(max(np.int64(value), lowest), highest))

    width = 8 * bytes_of(bits)
    return Arithmetic(
        kind, types.int8, bytes_of(bits), lanes, pointer_to(kind), pointer_to(types.int8),
        is_few, few, many, plus, add, adder_of_vectors(bits, width, lanes),
        found(">=", VECTOR, width), found(">=", BLOCK, width), from_real,
    )  # fmt: skip
