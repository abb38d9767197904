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
from picojoule.ops.cpu.rows import buffer_of, load_row, row_prefetch, store_row
from picojoule.ops.cpu.scratch import NAMES, WIDEST, kept
from picojoule.ops.plan import Plan


def backward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, x, v0, i0, b0, p, c, g, gv1, gi1, gb1, saved, gx, gv0, gi0, gb0, gp).

    `saved` is memory to work in, `t kept WIDEST`, for what `scratch.kept` names. `gp` is `b rows n`: each
    sample's share of the parameters' gradient; a stepped plan adds to what is there.
    """
    replay, back = _replay(plan), _back(plan)
    load, rates = load_parameters(plan), load_rates(plan)
    start, end = start_sums(plan), store_sums(plan)
    synaptic, adaptive = plan.synaptic, plan.adaptive
    row_buffer, parameter_rows = buffer_of(WIDEST, real_of(plan)), rows_of(plan)

    def sweep(
        first: Any, last: Any, T: Any, N: Any,
        x: Any, v0: Any, i0: Any, b0: Any, p: Any, c: Any,
        g: Any, gv1: Any, gi1: Any, gb1: Any, saved: Any,
        gx: Any, gv0: Any, gi0: Any, gb0: Any, gp: Any,
    ) -> None:  # fmt: skip
        rows = (N + WIDEST - 1) // WIDEST
        v, i, b = row_buffer(), row_buffer(), row_buffer()
        gv, gi, gb = row_buffer(), row_buffer(), row_buffer()
        parameters, sums, numbers = parameter_rows(), parameter_rows(), constants(c)
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
            load(p, at, N, n, parameters)
            rates(parameters, n, numbers)
            start(gp, sample, at, N, n, sums)
            begin = sample * T * N + at
            replay(x, begin, T, N, n, v, i, b, parameters, numbers, saved)
            back(x, g, gx, begin, T, N, n, gv, gi, gb, sums, parameters, numbers, saved)
            store_row(True, gv, n, gv0, state)
            store_row(synaptic, gi, n, gi0, state)
            store_row(adaptive, gb, n, gb0, state)
            end(sums, sample, at, N, n, gp)

    return sweep


def _replay(plan: Plan) -> Any:
    step = membrane(plan).step
    synaptic, adaptive = plan.synaptic, plan.adaptive
    num_kept, keep = len(kept(plan)), _keep(plan)
    element, get, _ = sequence_of(plan)
    prefetch_row = row_prefetch(element)

    @inlined
    def replay(
        x: Any, begin: Any, T: Any, N: Any, n: Any,
        v: Any, i: Any, b: Any, parameters: Any, numbers: Any, saved: Any,
    ) -> None:  # fmt: skip
        """The steps of a row again, and into `saved` what the gradients need of each."""
        for t in range(T):
            row, at = begin + t * N, t * num_kept * WIDEST
            if t + 1 < T:
                prefetch_row(x, row + N, n)
            for j in range(n):
                _, v_after, i_after, b_after, u, arrived = step(
                    get(x, row + j), v[j], i[j], b[j], parameters, j, numbers
                )
                keep(saved, at + j, u, v[j], arrived, b[j])
                v[j] = v_after
                if synaptic:
                    i[j] = i_after
                if adaptive:
                    b[j] = b_after

    return replay


def _back(plan: Plan) -> Any:
    step_back, found = gradient_step(plan), _found(plan)
    synaptic, adaptive = plan.synaptic, plan.adaptive
    num_kept = len(kept(plan))
    element, get, put = sequence_of(plan)
    prefetch_row = row_prefetch(element)

    @inlined
    def back(
        x: Any, g: Any, gx: Any, begin: Any, T: Any, N: Any, n: Any,
        gv: Any, gi: Any, gb: Any, sums: Any, parameters: Any, numbers: Any, saved: Any,
    ) -> None:  # fmt: skip
        """The gradients of a row, step by step against the order of time."""
        for t in range(T - 1, -1, -1):
            row, at = begin + t * N, t * num_kept * WIDEST
            if t > 0:
                prefetch_row(g, row - N, n)
            for j in range(n):
                u, v, arrived, b = found(saved, at + j, x, row + j)
                gx_now, gv[j], gi_before, gb_before = step_back(
                    u, v, b, arrived, get(g, row + j), gv[j], gi[j], gb[j],
                    sums, parameters, j, numbers,
                )  # fmt: skip
                put(gx, row + j, gx_now)
                if synaptic:
                    gi[j] = gi_before
                if adaptive:
                    gb[j] = gb_before

    return back


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
