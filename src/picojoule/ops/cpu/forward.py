"""The pass forward: all time steps of a row of neurons, then the next row.

Neurons are taken WIDEST at a time ("a row"), one sample's at once; rows `first` to `last` of the whole
are one thread's share. Pointers are to contiguous float32: `x` and `s` are `b t n`, states `b n`,
parameters `rows n`, or `rows` with `step = 0` where all neurons share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from picojoule.ops.cpu.membrane import steps
from picojoule.ops.cpu.rows import load_row, prefetch_row, row_buffer, store_row
from picojoule.ops.cpu.scratch import WIDEST
from picojoule.ops.plan import Plan


def forward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, step, x, v0, i0, b0, p, c, s, v1, i1, b1, r): output and end state of some rows.

    `r` is the feedback, `b n`, where the plan is stepped; `x` then is the input and becomes the sum.
    """
    synapse, integrate, threshold, count, reset, bound, adapt = steps(plan)
    synaptic, adaptive, own_cost = plan.synaptic, plan.adaptive, plan.reset == "value"
    stepped = plan.stepped
    r_alpha, r_gain, r_syn = plan.row("alpha_mem"), plan.row("gain"), plan.row("alpha_syn")
    r_low, r_th, r_cost = plan.row("min_v_mem"), plan.row("threshold"), plan.row("cost")
    r_scale, r_keep, r_add = (plan.row(f"adapt_{name}") for name in ("scale", "alpha", "gain"))

    def sweep(
        first: Any, last: Any, T: Any, N: Any, step: Any,
        x: Any, v0: Any, i0: Any, b0: Any, p: Any, c: Any, s: Any, v1: Any, i1: Any, b1: Any, r: Any,
    ) -> None:  # fmt: skip
        rows = (N + WIDEST - 1) // WIDEST
        P = N if step else 1
        v, i_syn, b = row_buffer(), row_buffer(), row_buffer()
        alpha, gain, syn, low = row_buffer(), row_buffer(), row_buffer(), row_buffer()
        th, cost, scale = row_buffer(), row_buffer(), row_buffer()
        keep, add = row_buffer(), row_buffer()
        limit, value = c[0], c[1]
        for k in range(first, last):
            sample = k // rows
            at = (k - sample * rows) * WIDEST
            n = min(WIDEST, N - at)
            state = sample * N + at
            load_row(True, v0, state, 1, n, v)
            load_row(synaptic, i0, state, 1, n, i_syn)
            load_row(adaptive, b0, state, 1, n, b)
            load_row(r_alpha >= 0, p, r_alpha * P + at * step, step, n, alpha)
            load_row(r_gain >= 0, p, r_gain * P + at * step, step, n, gain)
            load_row(r_syn >= 0, p, r_syn * P + at * step, step, n, syn)
            load_row(r_low >= 0, p, r_low * P + at * step, step, n, low)
            load_row(r_th >= 0, p, r_th * P + at * step, step, n, th)
            load_row(r_cost >= 0, p, r_cost * P + at * step, step, n, cost)
            load_row(r_scale >= 0, p, r_scale * P + at * step, step, n, scale)
            load_row(r_keep >= 0, p, r_keep * P + at * step, step, n, keep)
            load_row(r_add >= 0, p, r_add * P + at * step, step, n, add)
            for t in range(T):
                row = (sample * T + t) * N + at
                if t + 1 < T:
                    prefetch_row(x, row + N, n)
                if stepped:
                    for j in range(n):
                        x[row + j] = x[row + j] + r[state + j]
                for j in range(n):
                    i = synapse(x[row + j], i_syn[j], syn[j])
                    if synaptic:
                        i_syn[j] = i
                    u = integrate(i, v[j], alpha[j], gain[j])
                    th_now = threshold(th[j], scale[j], b[j])
                    spikes = count(u, th_now, limit)
                    s[row + j] = spikes
                    paid = cost[j] if own_cost else th_now
                    v[j] = bound(reset(u, spikes, paid, value), low[j])
                    if adaptive:
                        b[j] = adapt(b[j], spikes, keep[j], add[j])
            store_row(True, v, n, v1, state)
            store_row(synaptic, i_syn, n, i1, state)
            store_row(adaptive, b, n, b1, state)

    return sweep
