"""Delivering events: each adds a few contiguous vectors of weights to what the neurons that it reaches have got.

    target[row, x C ... x' C] += value * weight[channel, taps, C ...]

A position has an outer part (its row; in a volume its plane and row) and an inner part (its place in the row). Tables
tell for each which taps of the kernel reach which outputs: borders, strides, dilation and poolings are all in them,
so that there is one loop for all. `touched` notes the rows that were reached, `reached` what part of the rows.
"""

from __future__ import annotations

import functools
from typing import Any

from numba import njit, types

from picojoule.events.kernels.arithmetic import REALS, Arithmetic
from picojoule.events.kernels.pointers import integers, reals, wide
from picojoule.events.kernels.rows import row_adders
from picojoule.events.kernels.tables import COMPRESSED, DENSE, DIRECT, EDGE, LARGEST, PATCH, RECORD
from picojoule.events.kernels.vectors import mark_rows
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.pipeline import DistinctArguments

_I32, _F32, _INT = types.CPointer(types.int32), types.CPointer(types.float32), types.int64
_I64, _BYTES = types.CPointer(types.int64), types.CPointer(types.uint8)


def _adder(kind: int, arithmetic: Arithmetic) -> Any:
    """Events `first` to `last` over synapses of a kind; no two of its pointers overlap, so its loops are vectorised."""
    is_dense, is_compressed, is_largest = kind == DENSE, kind == COMPRESSED, kind == LARGEST
    add_row, add_rows = row_adders(arithmetic)
    is_few, few, many = arithmetic.is_few, arithmetic.few, arithmetic.many
    add_one, from_real = arithmetic.add, arithmetic.from_real

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
                if is_dense and apart != 0 and begin < end and is_few(value):
                    a, b = outer_state[begin] + start, taps + outer_weight[begin]
                    add_rows(
                        target, a, apart, weights, b, weights_apart, length, few(value), end - begin
                    )
                    continue
                for k in range(begin, end):
                    a, b = outer_state[k] + start, taps + outer_weight[k]
                    if is_dense and is_few(value):
                        add_row(target, a, 0, weights, b, 0, length, few(value))
                    elif is_dense:
                        for j in range(length):
                            add_one(target, a + j, weights, b + j, many(value))
                    elif is_compressed:
                        tap = b // width
                        for j in range(entry_first[tap], entry_first[tap + 1]):
                            add_one(target, a + entry_state[j], weights, j, many(value))
                    elif is_largest:
                        target[a] = max(target[a], from_real(value))
                    else:
                        add_one(target, a, weights, 0, many(value))
        reached[0], reached[1] = lowest, highest

    numbers, taps = types.CPointer(arithmetic.numbers), types.CPointer(arithmetic.weights)
    events, tables = (_INT, _INT, _I32, _I32, _F32), (_I32,) * 11
    synapses = (taps, _I32, _I32, _I32, _INT, _INT, _INT, _I32, _I64)
    return njit(
        types.void(*events, *tables, *synapses, numbers, _BYTES, _I32),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments, fastmath={"contract"},
    )(add)  # fmt: skip


def _patch_adder(arithmetic: Arithmetic) -> Any:
    """The same where each event reaches one patch: its rows and its run stand side by side, and little is looked up."""
    _, add_rows = row_adders(arithmetic)
    is_few, few, many, add_one = arithmetic.is_few, arithmetic.few, arithmetic.many, arithmetic.add

    def add(
        first: Any, last: Any, position: Any, channel: Any, values: Any,
        outer_of: Any, outer_patch: Any, inner_of: Any, inner_patch: Any, state_of: Any, weight_of: Any,
        weights: Any, apart: Any, weights_apart: Any, row_flags: Any, target: Any, touched: Any, reached: Any,
    ) -> None:  # fmt: skip
        lowest, highest = reached[0], reached[1]
        for e in range(first, last):
            value, c, p = values[e], channel[e], position[e]
            place, outer, inner = outer_of[p], RECORD * outer_of[p], RECORD * inner_of[p]
            rows, length = outer_patch[outer], inner_patch[inner]
            if rows == 0 or length == 0:
                continue
            mark_rows(touched, outer_patch[outer + 3], row_flags[place])
            start = inner_patch[inner + 1] + state_of[c]
            lowest, highest = min(lowest, start), max(highest, start + length)
            a = outer_patch[outer + 1] + start
            b = weight_of[c] + outer_patch[outer + 2] + inner_patch[inner + 2]
            if is_few(value):
                add_rows(target, a, apart, weights, b, weights_apart, length, few(value), rows)
            else:
                for k in range(rows):
                    for j in range(length):
                        add_one(
                            target,
                            a + k * apart + j,
                            weights,
                            b + k * weights_apart + j,
                            many(value),
                        )
        reached[0], reached[1] = lowest, highest

    numbers, taps = types.CPointer(arithmetic.numbers), types.CPointer(arithmetic.weights)
    return njit(
        types.void(
            _INT, _INT, _I32, _I32, _F32, *[_I32] * 6, taps, _INT, _INT, _I64, numbers, _BYTES, _I32
        ),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments, fastmath={"contract"},
    )(add)  # fmt: skip


@functools.cache
def delivering(arithmetic: Arithmetic) -> Any:
    """A function that delivers events `first` to `last` of a sample, over the synapses of one table."""
    weights_at = arithmetic.weights_at
    add_dense, add_entries, add_values, add_largest = (
        _adder(kind, arithmetic) for kind in (DENSE, COMPRESSED, DIRECT, LARGEST)
    )
    add_patches = _patch_adder(arithmetic)

    @inlined
    def deliver(
        edge: Any, sample: Any, first: Any, last: Any, target: Any, touched: Any, reached: Any
    ) -> None:
        start, kind = 4 * sample * edge[EDGE.capacity], edge[EDGE.kind]
        position, channel = (
            integers(edge[EDGE.positions] + start),
            integers(edge[EDGE.channel] + start),
        )
        values = reals(edge[EDGE.values] + start)
        outer_of, outer_first = integers(edge[EDGE.outer_of]), integers(edge[EDGE.outer_first])
        outer_weight, outer_state = (
            integers(edge[EDGE.outer_weight]),
            integers(edge[EDGE.outer_state]),
        )
        outer_row = integers(edge[EDGE.outer_row])
        inner_of, inner_first = integers(edge[EDGE.inner_of]), integers(edge[EDGE.inner_first])
        inner_weight, inner_state = (
            integers(edge[EDGE.inner_weight]),
            integers(edge[EDGE.inner_state]),
        )
        inner_length, state_of = integers(edge[EDGE.inner_length]), integers(edge[EDGE.state_of])
        weights, weight_of = weights_at(edge[EDGE.weights]), integers(edge[EDGE.weight_of])
        entry_first, entry_state = (
            integers(edge[EDGE.entry_first]),
            integers(edge[EDGE.entry_state]),
        )
        first_row, row_flags = integers(edge[EDGE.first_row]), wide(edge[EDGE.row_flags])
        width, apart, weights_apart = (
            edge[EDGE.width],
            edge[EDGE.rows_apart],
            edge[EDGE.weights_apart],
        )
        if kind == PATCH:
            add_patches(
                first, last, position, channel, values,
                outer_of, integers(edge[EDGE.outer_patch]), inner_of, integers(edge[EDGE.inner_patch]), state_of, weight_of,
                weights, apart, weights_apart, row_flags, target, touched, reached,
            )  # fmt: skip
        elif kind == DENSE:
            add_dense(
                first, last, position, channel, values,
                outer_of, outer_first, outer_weight, outer_state, outer_row,
                inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
                weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
                target, touched, reached,
            )  # fmt: skip
        elif kind == COMPRESSED:
            add_entries(
                first, last, position, channel, values,
                outer_of, outer_first, outer_weight, outer_state, outer_row,
                inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
                weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
                target, touched, reached,
            )  # fmt: skip
        elif kind == DIRECT:
            add_values(
                first, last, position, channel, values,
                outer_of, outer_first, outer_weight, outer_state, outer_row,
                inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
                weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
                target, touched, reached,
            )  # fmt: skip
        else:
            add_largest(
                first, last, position, channel, values,
                outer_of, outer_first, outer_weight, outer_state, outer_row,
                inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
                weights, weight_of, entry_first, entry_state, width, apart, weights_apart, first_row, row_flags,
                target, touched, reached,
            )  # fmt: skip

    return deliver


deliver = delivering(REALS)
