"""Delivering events: each adds a few contiguous vectors of weights to what the neurons that it reaches have got.

    target[row, x C ... x' C] += value * weight[channel, taps, C ...]

A position has an outer part (its row; in a volume its plane and row) and an inner part (its place in the row). Tables
tell for each which taps of the kernel reach which outputs: borders, strides, dilation and poolings are all in them,
so that there is one loop for all. `lowest` and `highest` note for each row which neurons were touched.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from picojoule.events.kernels.pointers import integers, reals
from picojoule.events.kernels.tables import COMPRESSED, DENSE, DIRECT, EDGE, LARGEST
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.pipeline import DistinctArguments

VECTOR = 8  # reals that are added at once

_I32, _F32, _INT = types.CPointer(types.int32), types.CPointer(types.float32), types.int64
_EVENTS, _TAPS, _WEIGHTS, _TARGET = (
    (_INT, _INT, _I32, _I32, _F32), (_I32,) * 11, (_F32, _I32, _I32, _I32, _INT), (_F32, _I32, _I32),
)  # fmt: skip


def _adder(kind: int) -> Any:
    """Events `first` to `last` over synapses of a kind; no two of its pointers overlap, so its loops are vectorised."""
    is_dense, is_compressed, is_largest = kind == DENSE, kind == COMPRESSED, kind == LARGEST

    def add(
        first: Any, last: Any, position: Any, channel: Any, values: Any,
        outer_of: Any, outer_first: Any, outer_weight: Any, outer_state: Any, outer_row: Any,
        inner_of: Any, inner_first: Any, inner_weight: Any, inner_state: Any, inner_length: Any, state_of: Any,
        weights: Any, weight_of: Any, entry_first: Any, entry_state: Any, width: Any,
        target: Any, lowest: Any, highest: Any,
    ) -> None:  # fmt: skip
        for e in range(first, last):
            value, c, p = values[e], channel[e], position[e]
            outer, inner = outer_of[p], inner_of[p]
            for k in range(outer_first[outer], outer_first[outer + 1]):
                row = outer_row[k]
                for m in range(inner_first[inner], inner_first[inner + 1]):
                    start, length = inner_state[m] + state_of[c], inner_length[m]
                    lowest[row] = min(lowest[row], start)
                    highest[row] = max(highest[row], start + length)
                    a, b = outer_state[k] + start, weight_of[c] + outer_weight[k] + inner_weight[m]
                    if is_dense:
                        whole = length // VECTOR * VECTOR
                        for j in range(0, whole, VECTOR):
                            for q in range(VECTOR):
                                target[a + j + q] += value * weights[b + j + q]
                        for j in range(whole, length):
                            target[a + j] += value * weights[b + j]
                    elif is_compressed:
                        tap = b // width
                        for j in range(entry_first[tap], entry_first[tap + 1]):
                            target[a + entry_state[j]] += value * weights[j]
                    elif is_largest:
                        target[a] = max(target[a], value)
                    else:
                        target[a] += value * weights[0]

    return njit(
        types.void(*_EVENTS, *_TAPS, *_WEIGHTS, *_TARGET),
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments, fastmath={"contract"},
    )(add)  # fmt: skip


_add_rows, _add_entries, _add_values, _add_largest = map(
    _adder, (DENSE, COMPRESSED, DIRECT, LARGEST)
)


@inlined
def deliver(
    edge: Any, sample: Any, first: Any, last: Any, target: Any, lowest: Any, highest: Any
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
    width = edge[EDGE.width]
    if kind == DENSE:
        _add_rows(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, target, lowest, highest,
        )  # fmt: skip
    elif kind == COMPRESSED:
        _add_entries(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, target, lowest, highest,
        )  # fmt: skip
    elif kind == DIRECT:
        _add_values(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, target, lowest, highest,
        )  # fmt: skip
    else:
        _add_largest(
            first, last, position, channel, values,
            outer_of, outer_first, outer_weight, outer_state, outer_row,
            inner_of, inner_first, inner_weight, inner_state, inner_length, state_of,
            weights, weight_of, entry_first, entry_state, width, target, lowest, highest,
        )  # fmt: skip
