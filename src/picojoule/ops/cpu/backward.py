"""The pass backward: a row's potentials again in the order of time, then the gradients against it.

The names and the rows are those of the pass forward; a name with `g` is the gradient of what follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picojoule.ops.cpu.gradient import gradient_step
from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.membrane import ZERO, membrane
from picojoule.ops.cpu.numbers import real_of, sequence_of
from picojoule.ops.cpu.parameters import (
    constants,
    load_parameters,
    load_rates,
    rows_of,
    start_sums,
    store_sums,
)
from picojoule.ops.cpu.rows import (
    AHEAD,
    LONG,
    SHORT,
    buffer_of,
    finish_streaming,
    load_row,
    piece_prefetch,
    piece_stream,
    store_row,
)
from picojoule.ops.cpu.scratch import NAMES, WIDEST, kept
from picojoule.ops.plan import NONE, Plan


def backward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, x, v0, i0, b0, p, c, g, gv1, gi1, gb1, gm, saved, gx, gv0, gi0, gb0, gp).

    `gm`, `n`, is the gradient of the sums, so part of that of each output, where the plan is summed. `saved` is memory
    to work in, `t kept WIDEST`, for what `scratch.kept` names. `gp` is `b rows n`: each sample's share of the
    parameters' gradient; a stepped plan adds to what is there.
    """
    replay, back = _replay(plan), _back(plan)
    load, rates = load_parameters(plan), load_rates(plan)
    start, end = start_sums(plan), store_sums(plan)
    synaptic, adaptive, summed = plan.synaptic, plan.adaptive, plan.summed
    row_buffer, parameter_rows = buffer_of(WIDEST, real_of(plan)), rows_of(plan)
    piece_buffer, streamed = buffer_of(_piece_of(plan), sequence_of(plan).element), plan.streamed

    def sweep(
        first: Any, last: Any, T: Any, N: Any,
        x: Any, v0: Any, i0: Any, b0: Any, p: Any, c: Any,
        g: Any, gv1: Any, gi1: Any, gb1: Any, gm: Any, saved: Any,
        gx: Any, gv0: Any, gi0: Any, gb0: Any, gp: Any,
    ) -> None:  # fmt: skip
        rows, piece = (N + WIDEST - 1) // WIDEST, piece_buffer()
        v, i, b = row_buffer(), row_buffer(), row_buffer()
        gv, gi, gb, each = row_buffer(), row_buffer(), row_buffer(), row_buffer()
        memory, sums, numbers = parameter_rows(), parameter_rows(), constants(c)
        for k in range(first, last):
            sample = k // rows
            at = (k - sample * rows) * WIDEST
            n = min(WIDEST, N - at)
            state = sample * N + at
            load_row(True, v0, state, n, v)
            load_row(synaptic, i0, state, n, i)
            load_row(adaptive, b0, state, n, b)
            load_row(True, gv1, state, n, gv)
            load_row(synaptic, gi1, state, n, gi)
            load_row(adaptive, gb1, state, n, gb)
            load_row(summed, gm, at, n, each)
            parameters = rates(load(p, at, N, n, memory), n, numbers)
            start(gp, sample, at, N, n, sums)
            begin = sample * T * N + at
            replay(x, begin, T, N, n, (v, i, b), parameters, numbers, saved)
            back(
                x, g, begin, T, N, n, (gv, gi, gb, each), sums, parameters, numbers, saved, gx, piece
            )  # fmt: skip
            store_row(True, gv, n, gv0, state)
            store_row(synaptic, gi, n, gi0, state)
            store_row(adaptive, gb, n, gb0, state)
            end(sums, sample, at, N, n, gp)
        if streamed:
            finish_streaming()

    return sweep


def _replay(plan: Plan) -> Any:
    one, num_kept = _one_again(plan), len(kept(plan))
    prefetch_piece = piece_prefetch(LONG, sequence_of(plan).element)

    @inlined
    def replay(
        x: Any, begin: Any, T: Any, N: Any, n: Any, states: Any, parameters: Any, numbers: Any, saved: Any
    ) -> None:  # fmt: skip
        """The steps of a row again, and into `saved` what the gradients need of each."""
        whole = n // LONG * LONG
        for t in range(T):
            row, at = begin + t * N, t * num_kept * WIDEST
            for first in range(0, whole, LONG):
                prefetch_piece(x, row + AHEAD * N + first)
                for j in range(first, first + LONG):
                    one(x, row + j, j, states, parameters, numbers, saved, at + j)
            for j in range(whole, n):
                one(x, row + j, j, states, parameters, numbers, saved, at + j)

    return replay


def _one_again(plan: Plan) -> Any:
    step, keep, get = membrane(plan).step, _keep(plan), sequence_of(plan).get
    synaptic, adaptive = plan.synaptic, plan.adaptive

    @inlined
    def one(
        x: Any, place: Any, j: Any, states: Any, parameters: Any, numbers: Any, saved: Any, at: Any
    ) -> None:  # fmt: skip
        """A step of one neuron."""
        v, i, b = states
        _, v_after, i_after, b_after, u, arrived = step(
            get(x, place), v[j], i[j], b[j], parameters, j, numbers
        )
        keep(saved, at, u, v[j], arrived, b[j])
        v[j] = v_after
        if synaptic:
            i[j] = i_after
        if adaptive:
            b[j] = b_after

    return one


def _back(plan: Plan) -> Any:
    one, num_kept, streamed = _one_back(plan), len(kept(plan)), plan.streamed
    size, element = _piece_of(plan), sequence_of(plan).element
    prefetch_piece, stream_piece = piece_prefetch(size, element), piece_stream(size, element)

    @inlined
    def back(
        x: Any, g: Any, begin: Any, T: Any, N: Any, n: Any, grads: Any,
        sums: Any, parameters: Any, numbers: Any, saved: Any, gx: Any, piece: Any,
    ) -> None:  # fmt: skip
        """The gradients of a row, step by step against the order of time; `piece` is a buffer."""
        whole, given = n // size * size, (parameters, numbers, saved)
        for t in range(T - 1, -1, -1):
            row, at = begin + t * N, t * num_kept * WIDEST
            for first in range(0, whole, size):
                prefetch_piece(g, row - AHEAD * N + first)
                if streamed:
                    for k in range(size):
                        j = first + k
                        one(x, g, row + j, j, grads, sums, given, at + j, piece, k)
                    stream_piece(piece, gx, row + first)
                else:
                    for j in range(first, first + size):
                        one(x, g, row + j, j, grads, sums, given, at + j, gx, row + j)
            for j in range(whole, n):
                one(x, g, row + j, j, grads, sums, given, at + j, gx, row + j)

    return back


def _one_back(plan: Plan) -> Any:
    step_back, found = gradient_step(plan), _found(plan)
    synaptic, adaptive, summed = plan.synaptic, plan.adaptive, plan.summed
    _, get, put, _ = sequence_of(plan)

    @inlined
    def one(
        x: Any, g: Any, place: Any, j: Any, grads: Any, sums: Any, given: Any, at: Any, gx: Any, to: Any
    ) -> None:  # fmt: skip
        """A step of one neuron."""
        (gv, gi, gb, each), (parameters, numbers, saved) = grads, given
        u, v, arrived, b = found(saved, at, x, place)
        g_now = get(g, place)
        if summed:
            g_now += each[j]
        gx_now, gv[j], gi_before, gb_before = step_back(
            u, v, b, arrived, g_now, gv[j], gi[j], gb[j], sums, parameters, j, numbers
        )
        put(gx, to, gx_now)
        if synaptic:
            gi[j] = gi_before
        if adaptive:
            gb[j] = gb_before

    return one


def _piece_of(plan: Plan) -> int:
    """An exponential makes a step long."""
    return LONG if plan.surrogate in (NONE, "Heaviside") else SHORT


def _places(plan: Plan) -> tuple[int, ...]:
    """Where in a step's part of `saved` each of `scratch.NAMES` is; -1 if it is not kept."""
    names = kept(plan)
    return tuple(names.index(name) * WIDEST if name in names else -1 for name in NAMES)


def _keep(plan: Plan) -> Any:
    at_u, at_v, at_arrived, at_b = _places(plan)

    @inlined
    def keep(saved: Any, at: Any, u: Any, v: Any, arrived: Any, b: Any) -> None:
        saved[at + at_u] = u
        if at_v >= 0:
            saved[at + at_v] = v
        if at_arrived >= 0:
            saved[at + at_arrived] = arrived
        if at_b >= 0:
            saved[at + at_b] = b

    return keep


def _found(plan: Plan) -> Any:
    at_u, at_v, at_arrived, at_b = _places(plan)
    reads_input, get = plan.trained and plan.normed, sequence_of(plan).get

    @inlined
    def found(saved: Any, at: Any, x: Any, place: Any) -> Any:
        """(u, v, arrived, b) of a step; 0 for what is not kept, which then is not needed."""
        v = saved[at + at_v] if at_v >= 0 else ZERO
        b = saved[at + at_b] if at_b >= 0 else ZERO
        arrived = ZERO
        if at_arrived >= 0:
            arrived = saved[at + at_arrived]
        elif reads_input:
            arrived = get(x, place)
        return saved[at + at_u], v, arrived, b

    return found
