"""The pass forward: all time steps of a row of neurons, then the next row.

Neurons are taken WIDEST at a time ("a row"), one sample's at once; rows `first` to `last` of the whole
are one thread's share. Pointers are to contiguous float32: `x` and `s` are `b t n`, states `b n`,
parameters `rows n`, or `rows` with `step = 0` where all neurons share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picojoule.ops.cpu.membrane import membrane
from picojoule.ops.cpu.parameters import constants, load_parameters, parameter_rows
from picojoule.ops.cpu.rows import load_row, prefetch_row, row_buffer, store_row
from picojoule.ops.cpu.scratch import WIDEST
from picojoule.ops.plan import Plan


def forward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, step, x, v0, i0, b0, p, c, s, v1, i1, b1, r): output and end state of some rows.

    `r` is the feedback, `b n`, where the plan is stepped; `x` then is the input and becomes the sum.
    """
    step_forward, load = membrane(plan).step, load_parameters(plan)
    synaptic, adaptive, stepped = plan.synaptic, plan.adaptive, plan.stepped

    def sweep(
        first: Any, last: Any, T: Any, N: Any, step: Any,
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
            load(p, at, N, step, n, parameters)
            for t in range(T):
                row = (sample * T + t) * N + at
                if t + 1 < T:
                    prefetch_row(x, row + N, n)
                if stepped:
                    for j in range(n):
                        x[row + j] = x[row + j] + r[state + j]
                for j in range(n):
                    s[row + j], v[j], i_now, b_now, _, _ = step_forward(
                        x[row + j], v[j], i[j], b[j], parameters, j, numbers
                    )
                    if synaptic:
                        i[j] = i_now
                    if adaptive:
                        b[j] = b_now
            store_row(True, v, n, v1, state)
            store_row(synaptic, i, n, i1, state)
            store_row(adaptive, b, n, b1, state)

    return sweep
