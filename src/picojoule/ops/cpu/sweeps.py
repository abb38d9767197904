"""The two passes over a sequence: all time steps of a row of neurons, then the next row.

Each makes the function that is compiled for a plan. Neurons are taken WIDEST at a time ("a row"), one
sample's at once; rows `first` to `last` of the whole are one thread's share. Pointers are to
contiguous float32: `x`, `s` and their gradients `b t n`, states `b n`, parameters `rows n`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.ops.cpu.buffers import row_buffer
from picojoule.ops.cpu.membrane import steps
from picojoule.ops.cpu.plan import NONE, WIDEST, Plan
from picojoule.ops.cpu.surrogates import SLOPES

ZERO = np.float32(0)


def _row_of(plan: Plan, name: str) -> int:
    return plan.parameters.index(name) if name in plan.parameters else -1


def forward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, x, v0, i0, p, c, s, v1, i1): output and end state of some rows."""
    step = steps(plan)
    synapse, integrate, count, reset, bound = step
    synaptic = plan.synaptic
    own_cost = plan.reset == "value"
    r_alpha, r_gain, r_syn = (_row_of(plan, name) for name in ("alpha_mem", "gain", "alpha_syn"))
    r_min, r_th, r_cost = (_row_of(plan, name) for name in ("min_v_mem", "threshold", "cost"))

    def sweep(
        first: Any, last: Any, T: Any, N: Any,
        x: Any, v0: Any, i0: Any, p: Any, c: Any, s: Any, v1: Any, i1: Any,
    ) -> None:  # fmt: skip
        rows = (N + WIDEST - 1) // WIDEST
        v, i_syn = row_buffer(), row_buffer()
        alpha, gain, syn, low, th, cost = (
            row_buffer(), row_buffer(), row_buffer(), row_buffer(), row_buffer(), row_buffer(),
        )  # fmt: skip
        limit, value = c[0], c[1]
        for k in range(first, last):
            b = k // rows
            at = (k - b * rows) * WIDEST
            n = min(WIDEST, N - at)
            for j in range(n):
                v[j] = v0[b * N + at + j]
                i_syn[j] = i0[b * N + at + j] if synaptic else ZERO
                alpha[j] = p[r_alpha * N + at + j] if r_alpha >= 0 else ZERO
                gain[j] = p[r_gain * N + at + j] if r_gain >= 0 else ZERO
                syn[j] = p[r_syn * N + at + j] if r_syn >= 0 else ZERO
                low[j] = p[r_min * N + at + j] if r_min >= 0 else ZERO
                th[j] = p[r_th * N + at + j] if r_th >= 0 else ZERO
                cost[j] = p[r_cost * N + at + j] if own_cost else th[j]
            for t in range(T):
                row = (b * T + t) * N + at
                for j in range(n):
                    i_syn[j] = synapse(x[row + j], i_syn[j], syn[j])
                    u = integrate(i_syn[j], v[j], alpha[j], gain[j])
                    spikes = count(u, th[j], limit)
                    s[row + j] = spikes
                    v[j] = bound(reset(u, spikes, cost[j], value), low[j])
            for j in range(n):
                v1[b * N + at + j] = v[j]
                if synaptic:
                    i1[b * N + at + j] = i_syn[j]

    return sweep


def backward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, x, v0, i0, p, c, g, gv1, gi1, wants_p, scratch, gx, gv0, gi0, gp): gradients.

    The potentials before the reset (and the currents) are computed again and kept in `scratch`,
    `2 t WIDEST`. `gp` is `b rows n`: each sample's share of the parameters' gradient.
    """
    synapse, integrate, count, reset, bound = steps(plan)
    rate_of, slope = SLOPES[plan.surrogate]
    synaptic, bounded, leaks, normed = plan.synaptic, plan.bounded, plan.leaks, plan.normed
    own_cost, sets, fires = plan.reset == "value", plan.reset == "to", plan.spike != NONE
    subtracts = plan.reset in ("threshold", "value")
    num_p = len(plan.parameters)
    r_alpha, r_gain, r_syn = (_row_of(plan, name) for name in ("alpha_mem", "gain", "alpha_syn"))
    r_min, r_th, r_cost = (_row_of(plan, name) for name in ("min_v_mem", "threshold", "cost"))
    r_paid = r_cost if own_cost else r_th

    def sweep(
        first: Any, last: Any, T: Any, N: Any,
        x: Any, v0: Any, i0: Any, p: Any, c: Any, g: Any, gv1: Any, gi1: Any,
        wants_p: Any, scratch: Any, gx: Any, gv0: Any, gi0: Any, gp: Any,
    ) -> None:  # fmt: skip
        rows = (N + WIDEST - 1) // WIDEST
        v, i_syn, gv, gi, rate = (
            row_buffer(), row_buffer(), row_buffer(), row_buffer(), row_buffer(),
        )  # fmt: skip
        alpha, gain, syn, low, th, cost = (
            row_buffer(), row_buffer(), row_buffer(), row_buffer(), row_buffer(), row_buffer(),
        )  # fmt: skip
        g_alpha, g_gain, g_syn, g_low, g_cost = (
            row_buffer(), row_buffer(), row_buffer(), row_buffer(), row_buffer(),
        )  # fmt: skip
        limit, value = c[0], c[1]
        for k in range(first, last):
            b = k // rows
            at = (k - b * rows) * WIDEST
            n = min(WIDEST, N - at)
            for j in range(n):
                v[j] = v0[b * N + at + j]
                i_syn[j] = i0[b * N + at + j] if synaptic else ZERO
                alpha[j] = p[r_alpha * N + at + j] if r_alpha >= 0 else ZERO
                gain[j] = p[r_gain * N + at + j] if r_gain >= 0 else ZERO
                syn[j] = p[r_syn * N + at + j] if r_syn >= 0 else ZERO
                low[j] = p[r_min * N + at + j] if r_min >= 0 else ZERO
                th[j] = p[r_th * N + at + j] if r_th >= 0 else ZERO
                cost[j] = p[r_cost * N + at + j] if own_cost else th[j]
                rate[j] = rate_of(th[j], c)
                gv[j] = gv1[b * N + at + j]
                gi[j] = gi1[b * N + at + j] if synaptic else ZERO
                g_alpha[j] = g_gain[j] = g_syn[j] = g_low[j] = g_cost[j] = ZERO
            for t in range(T):
                row, kept = (b * T + t) * N + at, t * WIDEST
                for j in range(n):
                    i_syn[j] = synapse(x[row + j], i_syn[j], syn[j])
                    u = integrate(i_syn[j], v[j], alpha[j], gain[j])
                    scratch[kept + j] = u
                    if synaptic:
                        scratch[T * WIDEST + kept + j] = i_syn[j]
                    v[j] = bound(reset(u, count(u, th[j], limit), cost[j], value), low[j])
            for t in range(T - 1, -1, -1):
                row, kept = (b * T + t) * N + at, t * WIDEST
                for j in range(n):
                    u = scratch[kept + j]
                    spikes = count(u, th[j], limit)
                    gw = gv[j]
                    if bounded:
                        is_low = reset(u, spikes, cost[j], value) <= low[j]
                        g_low[j] += gw if is_low else ZERO
                        gw = ZERO if is_low else gw
                    gs = g[row + j]
                    if subtracts:
                        gs -= gw * cost[j]
                        g_cost[j] -= gw * spikes
                    if sets:
                        gw = ZERO if spikes != ZERO else gw
                    gu = gw + gs * slope(u, th[j], rate[j], c) if fires else gw + gs
                    if t > 0:
                        before = scratch[kept - WIDEST + j]
                        done = count(before, th[j], limit)
                        v_before = bound(reset(before, done, cost[j], value), low[j])
                    else:
                        v_before = v0[b * N + at + j]
                    if leaks:
                        g_alpha[j] += gu * v_before
                        gv[j] = gu * alpha[j]
                    else:
                        gv[j] = gu
                    current = scratch[T * WIDEST + kept + j] if synaptic else x[row + j]
                    if normed:
                        g_gain[j] += gu * current
                        gu = gu * gain[j]
                    if synaptic:
                        gu = gu + gi[j]
                        if t > 0:
                            i_before = scratch[T * WIDEST + kept - WIDEST + j]
                        else:
                            i_before = i0[b * N + at + j]
                        g_syn[j] += gu * (i_before + x[row + j])
                        gu = gu * syn[j]
                        gi[j] = gu
                    gx[row + j] = gu
            for j in range(n):
                gv0[b * N + at + j] = gv[j]
                if synaptic:
                    gi0[b * N + at + j] = gi[j]
            if wants_p:
                for j in range(n):
                    to = b * num_p * N + at + j
                    if r_th >= 0:
                        gp[to + r_th * N] = ZERO
                    if r_alpha >= 0:
                        gp[to + r_alpha * N] = g_alpha[j]
                    if r_gain >= 0:
                        gp[to + r_gain * N] = g_gain[j]
                    if r_syn >= 0:
                        gp[to + r_syn * N] = g_syn[j]
                    if r_min >= 0:
                        gp[to + r_min * N] = g_low[j]
                    if subtracts:
                        gp[to + r_paid * N] = g_cost[j]

    return sweep
