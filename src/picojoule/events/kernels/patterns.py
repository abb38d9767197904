"""Delivering many spikes at once: of each piece of an input's row, the sum of the weights of its spikes is looked up.

    target[o] += sum over taps and pieces of sums[tap, piece, the pattern of spikes that o sees there]

With few input channels there are few patterns: five spikes of a row have 32. A lookup then stands for up to five multiplications
and additions of each neuron, and none of them waits for a branch. An event's own path costs more from some activity on, which is
measured (`break_even`). Only events of value 1 are patterns; others go their own way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from picojoule.events.kernels.pointers import integers, reals, wide
from picojoule.events.kernels.tables import EDGE, PATTERN, VECTOR
from picojoule.events.kernels.vectors import add_sums
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.pipeline import DistinctArguments

ONE = np.float32(1)
_I32, _F32, _INT = types.CPointer(types.int32), types.CPointer(types.float32), types.int64


@inlined
def count_ones(edge: Any, sample: Any, first: Any, last: Any) -> Any:
    """How many of a step's events have the value 1."""
    values = reals(edge[EDGE.values] + 4 * sample * edge[EDGE.capacity])
    ones = np.int64(0)
    for e in range(first, last):
        ones += np.int64(values[e] == ONE)
    return ones


def _distinct(function: Any) -> Any:
    """No two of its pointers overlap, so that what a row has in common is read once."""
    return njit(
        types.void(_F32, _INT, _INT, _INT, _INT, _F32, _I32, _I32, _I32, _INT),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments,
    )(function)  # fmt: skip


@_distinct
def _add_one(
    target: Any, a: Any, width: Any, outputs: Any, k: Any, sums: Any, starts: Any, codes: Any, places: Any, pieces: Any
) -> None:  # fmt: skip
    """Lookup k of each output of a row."""
    s, p = starts[k], places[k]
    whole = width // VECTOR * VECTOR
    for x in range(outputs):
        at, o = a + x * width, np.int64(s + codes[p + x * pieces])
        for j in range(0, whole, VECTOR):
            add_sums(target, at + j, sums, (o + j,))
        for j in range(whole, width):
            target[at + j] += sums[o + j]


@_distinct
def _add_three(
    target: Any, a: Any, width: Any, outputs: Any, k: Any, sums: Any, starts: Any, codes: Any, places: Any, pieces: Any
) -> None:  # fmt: skip
    """Three lookups at once, from k on."""
    s0, s1, s2 = starts[k], starts[k + 1], starts[k + 2]
    p0, p1, p2 = places[k], places[k + 1], places[k + 2]
    whole = width // VECTOR * VECTOR
    for x in range(outputs):
        at, shift = a + x * width, x * pieces
        o0 = np.int64(s0 + codes[p0 + shift])
        o1 = np.int64(s1 + codes[p1 + shift])
        o2 = np.int64(s2 + codes[p2 + shift])
        for j in range(0, whole, VECTOR):
            add_sums(target, at + j, sums, (o0 + j, o1 + j, o2 + j))
        for j in range(whole, width):
            target[at + j] += sums[o0 + j] + sums[o1 + j] + sums[o2 + j]


@_distinct
def _add_five(
    target: Any, a: Any, width: Any, outputs: Any, k: Any, sums: Any, starts: Any, codes: Any, places: Any, pieces: Any
) -> None:  # fmt: skip
    """Five lookups at once, from k on."""
    s0, s1, s2, s3, s4 = starts[k], starts[k + 1], starts[k + 2], starts[k + 3], starts[k + 4]
    p0, p1, p2, p3, p4 = places[k], places[k + 1], places[k + 2], places[k + 3], places[k + 4]
    whole = width // VECTOR * VECTOR
    for x in range(outputs):
        at, shift = a + x * width, x * pieces
        o0 = np.int64(s0 + codes[p0 + shift])
        o1 = np.int64(s1 + codes[p1 + shift])
        o2 = np.int64(s2 + codes[p2 + shift])
        o3 = np.int64(s3 + codes[p3 + shift])
        o4 = np.int64(s4 + codes[p4 + shift])
        for j in range(0, whole, VECTOR):
            add_sums(target, at + j, sums, (o0 + j, o1 + j, o2 + j, o3 + j, o4 + j))
        for j in range(whole, width):
            target[at + j] += (
                sums[o0 + j] + sums[o1 + j] + sums[o2 + j] + sums[o3 + j] + sums[o4 + j]
            )


@inlined
def write_codes(edge: Any, sample: Any, first: Any, last: Any) -> None:
    """The patterns of a step's spikes."""
    table = wide(edge[EDGE.patterns])
    start = 4 * sample * edge[EDGE.capacity]
    position, channel = integers(edge[EDGE.positions] + start), integers(edge[EDGE.channel] + start)
    values = reals(edge[EDGE.values] + start)
    outer_of, inner_of = integers(edge[EDGE.outer_of]), integers(edge[EDGE.inner_of])
    number = table[PATTERN.num_codes]
    codes = integers(table[PATTERN.codes] + 4 * sample * number)
    bits_at, bits_add = integers(table[PATTERN.bits_at]), integers(table[PATTERN.bits_add])
    row, bits, places = table[PATTERN.row_codes], table[PATTERN.bits], table[PATTERN.places]
    for k in range(number):
        codes[k] = 0
    for e in range(first, last):
        if values[e] == ONE:
            p = position[e]
            own, begins = (channel[e] * places + inner_of[p]) * bits, outer_of[p] * row
            for k in range(own, own + bits):  # as many for all: no branch to mispredict
                codes[begins + bits_at[k]] += bits_add[k]


@inlined
def add_patterns(edge: Any, sample: Any, target: Any, rows: Any, row_size: Any) -> None:
    """The sums of all patterns, onto all rows of neurons."""
    table = wide(edge[EDGE.patterns])
    outputs, pieces = table[PATTERN.outputs], table[PATTERN.pieces]
    codes = integers(table[PATTERN.codes] + 4 * sample * table[PATTERN.num_codes])
    lookup_first = integers(table[PATTERN.lookup_first])
    places, starts = integers(table[PATTERN.lookup_codes]), integers(table[PATTERN.lookup_sums])
    sums, width = reals(table[PATTERN.sums]), row_size // outputs
    for row in range(rows):
        first, last = np.int64(lookup_first[row]), np.int64(lookup_first[row + 1])
        a = row * row_size
        while last - first >= 5:
            _add_five(target, a, width, outputs, first, sums, starts, codes, places, pieces)
            first += 5
        while last - first >= 3:
            _add_three(target, a, width, outputs, first, sums, starts, codes, places, pieces)
            first += 3
        while first < last:
            _add_one(target, a, width, outputs, first, sums, starts, codes, places, pieces)
            first += 1
