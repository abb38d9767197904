"""The pass forward: all time steps of a row of neurons, then the next row.

Neurons are taken WIDEST at a time ("a row"), one sample's at once; rows `first` to `last` of the whole
are one thread's share. Pointers are to contiguous memory: `x` and `s` are `b t n` in the input's format, all else
is in what the kernel computes in (`numbers.py`): states `b n`, parameters `rows n`, or `rows` where all neurons
share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picojoule.ops.cpu.membrane import membrane
from picojoule.ops.cpu.numbers import real_of, sequence_of
from picojoule.ops.cpu.parameters import constants, load_parameters, rows_of
from picojoule.ops.cpu.rows import buffer_of, load_row, row_prefetch, store_row
from picojoule.ops.cpu.scratch import WIDEST
from picojoule.ops.plan import Plan


def forward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, x, v0, i0, b0, p, c, s, v1, i1, b1, r): output and end state of some rows.

    `r` is the feedback, `b n`, where the plan is stepped; `x` then is the input and becomes the sum.
    """
    step_forward, load = membrane(plan).step, load_parameters(plan)
    synaptic, adaptive, stepped = plan.synaptic, plan.adaptive, plan.stepped
    element, get, put = sequence_of(plan)
    row_buffer, parameter_rows = buffer_of(WIDEST, real_of(plan)), rows_of(plan)
    prefetch_row = row_prefetch(element)

    def sweep(
        first: Any, last: Any, T: Any, N: Any,
        x: Any, v0: Any, i0: Any, b0: Any, p: Any, c: Any, s: Any, v1: Any, i1: Any, b1: Any, r: Any,
    ) -> None:  # fmt: skip
        rows = (N + WIDEST - 1) // WIDEST
        v, i, b, parameters, numbers = (
            row_buffer(), row_buffer(), row_buffer(), parameter_rows(), constants(c),
        )  # fmt: skip
        for k in range(first, last):
            sample = k // rows
            at = (k - sample * rows) * WIDEST
            n = min(WIDEST, N - at)
            state = sample * N + at
            load_row(True, v0, state, n, v)
            load_row(synaptic, i0, state, n, i)
            load_row(adaptive, b0, state, n, b)
            load(p, at, N, n, parameters)
            for t in range(T):
                row = (sample * T + t) * N + at
                if t + 1 < T:
                    prefetch_row(x, row + N, n)
                if stepped:
                    for j in range(n):
                        x[row + j] = x[row + j] + r[state + j]
                for j in range(n):
                    spikes, v[j], i_now, b_now, _, _ = step_forward(
                        get(x, row + j), v[j], i[j], b[j], parameters, j, numbers
                    )
                    put(s, row + j, spikes)
                    if synaptic:
                        i[j] = i_now
                    if adaptive:
                        b[j] = b_now
            store_row(True, v, n, v1, state)
            store_row(synaptic, i, n, i1, state)
            store_row(adaptive, b, n, b1, state)

    return sweep
