"""The pass forward: all time steps of a row of neurons, then the next row.

Neurons are taken WIDEST at a time ("a row"), one sample's at once; rows `first` to `last` of the whole
are one thread's share. Pointers are to contiguous memory: `x` and `s` are `b t n` in the input's format, all else
is in what the kernel computes in (`numbers.py`): states `b n`, parameters `rows n`, or `rows` where all neurons
share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.membrane import membrane
from picojoule.ops.cpu.numbers import real_of, sequence_of
from picojoule.ops.cpu.parameters import constants, load_parameters, rows_of
from picojoule.ops.cpu.rows import (
    AHEAD,
    LONG,
    buffer_of,
    clear_row,
    finish_streaming,
    load_row,
    piece_prefetch,
    piece_stream,
    store_row,
)
from picojoule.ops.cpu.scratch import WIDEST
from picojoule.ops.plan import Plan

TOGETHER = 4  # rows that are taken as one, where no parameters are read: longer stretches of memory are faster


def forward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, x, v0, i0, b0, p, c, s, v1, i1, b1, m, r): output and end state of some rows.

    `m` is the output added up over time, `b n`, where the plan is summed. `r` is the feedback, `b n`, where the plan is
    stepped; `x` then is the input and becomes the sum.
    """
    advance, load = _advance(plan), load_parameters(plan)
    synaptic, adaptive, summed = plan.synaptic, plan.adaptive, plan.summed
    together = TOGETHER if plan.shared else 1
    row_buffer, parameter_rows = buffer_of(together * WIDEST, real_of(plan)), rows_of(plan)
    piece_buffer, streamed = buffer_of(LONG, sequence_of(plan).element), plan.streamed

    def sweep(
        first: Any, last: Any, T: Any, N: Any,
        x: Any, v0: Any, i0: Any, b0: Any, p: Any, c: Any, s: Any, v1: Any, i1: Any, b1: Any, m: Any,
        r: Any,
    ) -> None:  # fmt: skip
        rows, piece = (N + WIDEST - 1) // WIDEST, piece_buffer()
        v, i, b, total, memory, numbers = (
            row_buffer(), row_buffer(), row_buffer(), row_buffer(), parameter_rows(), constants(c),
        )  # fmt: skip
        k = first
        while k < last:
            sample = k // rows
            at = (k - sample * rows) * WIDEST
            n = min(min(together, last - k) * WIDEST, N - at)
            k += (n + WIDEST - 1) // WIDEST
            state = sample * N + at
            load_row(True, v0, state, n, v)
            load_row(synaptic, i0, state, n, i)
            load_row(adaptive, b0, state, n, b)
            clear_row(summed, n, total)
            parameters = load(p, at, N, n, memory)
            begin = sample * T * N + at
            advance(x, r, begin, state, T, N, n, (v, i, b, total), parameters, numbers, s, piece)
            store_row(True, v, n, v1, state)
            store_row(summed, total, n, m, state)
            store_row(synaptic, i, n, i1, state)
            store_row(adaptive, b, n, b1, state)
        if streamed:
            finish_streaming()

    return sweep


def _advance(plan: Plan) -> Any:
    one, stepped, streamed = _one(plan), plan.stepped, plan.streamed
    element = sequence_of(plan).element
    prefetch_piece, stream_piece = piece_prefetch(LONG, element), piece_stream(LONG, element)

    @inlined
    def advance(
        x: Any, r: Any, begin: Any, state: Any, T: Any, N: Any, n: Any,
        states: Any, parameters: Any, numbers: Any, s: Any, piece: Any,
    ) -> None:  # fmt: skip
        """The steps of a row; `piece` is a buffer."""
        whole = n // LONG * LONG
        for t in range(T):
            row = begin + t * N
            if stepped:
                for j in range(n):
                    x[row + j] = x[row + j] + r[state + j]
            for first in range(0, whole, LONG):
                prefetch_piece(x, row + AHEAD * N + first)
                if streamed:
                    for k in range(LONG):
                        j = first + k
                        one(x, row + j, j, states, parameters, numbers, piece, k)
                    stream_piece(piece, s, row + first)
                else:
                    for j in range(first, first + LONG):
                        one(x, row + j, j, states, parameters, numbers, s, row + j)
            for j in range(whole, n):
                one(x, row + j, j, states, parameters, numbers, s, row + j)

    return advance


def _one(plan: Plan) -> Any:
    step_forward = membrane(plan).step
    synaptic, adaptive, summed = plan.synaptic, plan.adaptive, plan.summed
    _, get, put, rounded = sequence_of(plan)

    @inlined
    def one(
        x: Any, place: Any, j: Any, states: Any, parameters: Any, numbers: Any, s: Any, to: Any
    ) -> None:
        """A step of one neuron."""
        v, i, b, total = states
        spikes, v[j], i_now, b_now, _, _ = step_forward(
            get(x, place), v[j], i[j], b[j], parameters, j, numbers
        )
        put(s, to, spikes)
        if summed:
            total[j] += rounded(spikes)
        if synaptic:
            i[j] = i_now
        if adaptive:
            b[j] = b_now

    return one
