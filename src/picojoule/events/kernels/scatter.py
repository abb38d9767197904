"""Delivering events: each adds a few contiguous vectors of weights to what the neurons that it reaches have got.

    target[row, x C ... x' C] += value * weight[channel, taps, C ...]

A position has an outer part (its row; in a volume its plane and row) and an inner part (its place in the row). Tables
tell for each which taps of the kernel reach which outputs: borders, strides, dilation and poolings are all in them,
so that there is one loop for all. `touched` notes the rows that were reached, `reached` what part of the rows.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from picojoule.events.kernels.pointers import integers, reals, wide
from picojoule.events.kernels.tables import COMPRESSED, DENSE, DIRECT, EDGE, LARGEST, VECTOR
from picojoule.events.kernels.vectors import add_vector, mark_rows
from picojoule.ops.cpu.inlined import contracted, inlined
from picojoule.ops.cpu.pipeline import DistinctArguments

_I32, _F32, _INT = types.CPointer(types.int32), types.CPointer(types.float32), types.int64
_I64, _BYTES = types.CPointer(types.int64), types.CPointer(types.uint8)
_EVENTS, _TAPS, _WEIGHTS, _TARGET = (
    (_INT, _INT, _I32, _I32, _F32), (_I32,) * 11, (_F32, _I32, _I32, _I32, _INT, _INT, _INT, _I32, _I64), (_F32, _BYTES, _I32),
)  # fmt: skip


def _rows_at_once(rows: int) -> Any:
    """Adds as many rows of weights side by side: a loop that ends costs more than the vectors of a row."""

    @contracted
    def add(
        target: Any, a: Any, apart: Any, weights: Any, b: Any, weights_apart: Any, length: Any, value: Any
    ) -> None:  # fmt: skip
        whole = length // VECTOR * VECTOR
        for j in range(0, whole, VECTOR):
            for k in range(rows):
                add_vector(target, a + k * apart + j, weights, b + k * weights_apart + j, value)
        for j in range(whole, length):
            for k in range(rows):
                target[a + k * apart + j] += value * weights[b + k * weights_apart + j]

    return add


_one, _two, _three, _four, _five = map(_rows_at_once, range(1, 6))


@contracted
def _add_rows(
    target: Any, a: Any, apart: Any, weights: Any, b: Any, weights_apart: Any, length: Any, value: Any, rows: Any
) -> None:  # fmt: skip
    """`rows` rows of weights onto as many rows of neurons, which lie `apart`."""
    while rows > 5:
        _five(target, a, apart, weights, b, weights_apart, length, value)
        rows, a, b = rows - 5, a + 5 * apart, b + 5 * weights_apart
    if rows == 5:
        _five(target, a, apart, weights, b, weights_apart, length, value)
    elif rows == 4:
        _four(target, a, apart, weights, b, weights_apart, length, value)
    elif rows == 3:
        _three(target, a, apart, weights, b, weights_apart, length, value)
    elif rows == 2:
        _two(target, a, apart, weights, b, weights_apart, length, value)
    elif rows == 1:
        _one(target, a, apart, weights, b, weights_apart, length, value)


def _adder(kind: int) -> Any:
    """Events `first` to `last` over synapses of a kind; no two of its pointers overlap, so its loops are vectorised."""
    is_dense, is_compressed, is_largest = kind == DENSE, kind == COMPRESSED, kind == LARGEST

    def add(
        first: Any, last: Any, position: Any, channel: Any, values: Any,
        outer_of: Any, outer_first: Any, outer_weight: Any, outer_state: Any, outer_row: Any,
        inner_of: Any, inner_first: Any, inner_weight: Any, inner_state: Any, inner_length: Any, state_of: Any,
        weights: Any, weight_of: Any, entry_first: Any, entry_state: Any, width: Any, apart: Any, weights_apart: Any,
        first_row: Any, row_flags: Any, target: Any, touched: Any, reached: Any,
    ) -> None:  # fmt: skip
        lowest, highest = reached[0], reached[1]
        for e in range(first, last):
            value, c, p = values[e], channel[e], position[e]
            outer, inner = outer_of[p], inner_of[p]
            begin, end = outer_first[outer], outer_first[outer + 1]
            if row_flags[outer] != 0:
                mark_rows(touched, first_row[outer], row_flags[outer])
            else:
                for k in range(begin, end):
                    touched[outer_row[k]] = 1
            for m in range(inner_first[inner], inner_first[inner + 1]):
                start, length, taps = (
                    inner_state[m] + state_of[c],
                    inner_length[m],
                    weight_of[c] + inner_weight[m],
                )
                lowest, highest = min(lowest, start), max(highest, start + length)
                if is_dense and apart != 0:
                    if begin < end:
                        a, b = outer_state[begin] + start, taps + outer_weight[begin]
                        _add_rows(
                            target, a, apart, weights, b, weights_apart, length, value, end - begin
                        )
                else:
                    for k in range(begin, end):
                        a, b = outer_state[k] + start, taps + outer_weight[k]
                        if is_dense:
                            _one(target, a, 0, weights, b, 0, length, value)
                        elif is_compressed:
                            tap = b // width
                            for j in range(entry_first[tap], entry_first[tap + 1]):
                                target[a + entry_state[j]] += value * weights[j]
                        elif is_largest:
                            target[a] = max(target[a], value)
                        else:
                            target[a] += value * weights[0]
        reached[0], reached[1] = lowest, highest

    return njit(
        types.void(*_EVENTS, *_TAPS, *_WEIGHTS, *_TARGET),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments, fastmath={"contract"},
    )(add)  # fmt: skip


_add_dense, _add_entries, _add_values, _add_largest = map(
    _adder, (DENSE, COMPRESSED, DIRECT, LARGEST)
)


@inlined
def deliver(
    edge: Any, sample: Any, first: Any, last: Any, target: Any, touched: Any, reached: Any
) -> None:
    """Events `first` to `last` of a sample, over the synapses of one table."""
    start, kind = 4 * sample * edge[EDGE.capacity], edge[EDGE.kind]
    position, channel = integers(edge[EDGE.positions] + start), integers(edge[EDGE.channel] + start)
    values = reals(edge[EDGE.values] + start)
    outer_of, outer_first = integers(edge[EDGE.outer_of]), integers(edge[EDGE.outer_first])
    outer_weight, outer_state = integers(edge[EDGE.outer_weight]), integers(edge[EDGE.outer_state])
    outer_row = integers(edge[EDGE.outer_row])
    inner_of, inner_first = integers(edge[EDGE.inner_of]), integers(edge[EDGE.inner_first])
    inner_weight, inner_state = integers(edge[EDGE.inner_weight]), integers(edge[EDGE.inner_state])
    inner_length, state_of = integers(edge[EDGE.inner_length]), integers(edge[EDGE.state_of])
    weights, weight_of = reals(edge[EDGE.weights]), integers(edge[EDGE.weight_of])
    entry_first, entry_state = integers(edge[EDGE.entry_first]), integers(edge[EDGE.entry_state])
    first_row, row_flags = integers(edge[EDGE.first_row]), wide(edge[EDGE.row_flags])
    width, apart, weights_apart = edge[EDGE.width], edge[EDGE.rows_apart], edge[EDGE.weights_apart]
    if kind == DENSE:
        _add_dense(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
            target, touched, reached,
        )  # fmt: skip
    elif kind == COMPRESSED:
        _add_entries(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
            target, touched, reached,
        )  # fmt: skip
    elif kind == DIRECT:
        _add_values(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
            target, touched, reached,
        )  # fmt: skip
    else:
        _add_largest(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
            target, touched, reached,
        )  # fmt: skip
