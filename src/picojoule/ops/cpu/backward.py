"""The pass backward: a row's potentials again in the order of time, then the gradients against it.

The names and the rows are those of the pass forward; a name with `g` is the gradient of what follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from picojoule.ops.cpu.membrane import steps
from picojoule.ops.cpu.rows import load_row, prefetch_row, row_buffer, store_row
from picojoule.ops.cpu.scratch import WIDEST, kept
from picojoule.ops.cpu.surrogates import SLOPES
from picojoule.ops.plan import NONE, Plan

ZERO = np.float32(0)


def backward_sweep(plan: Plan) -> Callable[..., None]:
    """(first, last, T, N, step, x, v0, i0, b0, p, c, g, gv1, gi1, gb1, <kept>, gx, gv0, gi0, gb0, gp).

    <kept>: `us, vs, currents, traces`, scratch memory `t WIDEST` of those that `scratch.kept` names.
    `gp` is `b rows n`: each sample's share of the parameters' gradient; a stepped plan adds to what is there.
    """
    synapse, integrate, threshold, count, reset, bound, adapt = steps(plan)
    rate_of, slope = SLOPES[plan.surrogate]
    synaptic, adaptive, bounded, trained = plan.synaptic, plan.adaptive, plan.bounded, plan.trained
    leaks, normed, fires = plan.leaks, plan.normed, plan.spike != NONE
    own_cost, sets = plan.reset == "value", plan.reset == "to"
    subtracts, pays_threshold = plan.reset in ("threshold", "value"), plan.reset == "threshold"
    num_p = len(plan.parameters)
    r_alpha, r_gain, r_syn = plan.row("alpha_mem"), plan.row("gain"), plan.row("alpha_syn")
    r_low, r_th, r_cost = plan.row("min_v_mem"), plan.row("threshold"), plan.row("cost")
    r_scale, r_keep, r_add = (plan.row(f"adapt_{name}") for name in ("scale", "alpha", "gain"))
    stepped = plan.stepped
    keeps_after, keeps_current = "after" in kept(plan), "current" in kept(plan)

    def sweep(
        first: Any, last: Any, T: Any, N: Any, step: Any,
        x: Any, v0: Any, i0: Any, b0: Any, p: Any, c: Any,
        g: Any, gv1: Any, gi1: Any, gb1: Any,
        us: Any, vs: Any, currents: Any, traces: Any,
        gx: Any, gv0: Any, gi0: Any, gb0: Any, gp: Any,
    ) -> None:  # fmt: skip
        rows = (N + WIDEST - 1) // WIDEST
        P = N if step else 1
        v, i_syn, b, rate = row_buffer(), row_buffer(), row_buffer(), row_buffer()
        gv, gi, gb = row_buffer(), row_buffer(), row_buffer()
        alpha, gain, syn, low = row_buffer(), row_buffer(), row_buffer(), row_buffer()
        th, cost, scale = row_buffer(), row_buffer(), row_buffer()
        keep, add = row_buffer(), row_buffer()
        g_alpha, g_gain, g_syn, g_low = row_buffer(), row_buffer(), row_buffer(), row_buffer()
        g_th, g_cost, g_scale = row_buffer(), row_buffer(), row_buffer()
        g_keep, g_add = row_buffer(), row_buffer()
        limit, value = c[0], c[1]
        own = (c[2], c[3], c[4], c[5], c[6])  # read here: gx might be written over them
        for k in range(first, last):
            sample = k // rows
            at = (k - sample * rows) * WIDEST
            n = min(WIDEST, N - at)
            state = sample * N + at
            load_row(True, v0, state, 1, n, v)
            load_row(synaptic, i0, state, 1, n, i_syn)
            load_row(adaptive, b0, state, 1, n, b)
            load_row(True, gv1, state, 1, n, gv)
            load_row(synaptic, gi1, state, 1, n, gi)
            load_row(adaptive, gb1, state, 1, n, gb)
            load_row(r_alpha >= 0, p, r_alpha * P + at * step, step, n, alpha)
            load_row(r_gain >= 0, p, r_gain * P + at * step, step, n, gain)
            load_row(r_syn >= 0, p, r_syn * P + at * step, step, n, syn)
            load_row(r_low >= 0, p, r_low * P + at * step, step, n, low)
            load_row(r_th >= 0, p, r_th * P + at * step, step, n, th)
            load_row(r_cost >= 0, p, r_cost * P + at * step, step, n, cost)
            load_row(r_scale >= 0, p, r_scale * P + at * step, step, n, scale)
            load_row(r_keep >= 0, p, r_keep * P + at * step, step, n, keep)
            load_row(r_add >= 0, p, r_add * P + at * step, step, n, add)
            if fires and not adaptive:
                for j in range(n):
                    rate[j] = rate_of(th[j], own)
            to = sample * num_p * N + at
            if trained:
                for j in range(n):
                    g_alpha[j] = g_gain[j] = g_syn[j] = g_low[j] = ZERO
                    g_th[j] = g_cost[j] = g_scale[j] = g_keep[j] = g_add[j] = ZERO
            if trained and stepped:
                load_row(r_alpha >= 0, gp, to + r_alpha * N, 1, n, g_alpha)
                load_row(r_gain >= 0, gp, to + r_gain * N, 1, n, g_gain)
                load_row(r_syn >= 0, gp, to + r_syn * N, 1, n, g_syn)
                load_row(r_low >= 0, gp, to + r_low * N, 1, n, g_low)
                load_row(r_th >= 0, gp, to + r_th * N, 1, n, g_th)
                load_row(r_cost >= 0, gp, to + r_cost * N, 1, n, g_cost)
                load_row(r_scale >= 0, gp, to + r_scale * N, 1, n, g_scale)
                load_row(r_keep >= 0, gp, to + r_keep * N, 1, n, g_keep)
                load_row(r_add >= 0, gp, to + r_add * N, 1, n, g_add)
            for t in range(T):
                row, at_t = (sample * T + t) * N + at, t * WIDEST
                if t + 1 < T:
                    prefetch_row(x, row + N, n)
                for j in range(n):
                    i = synapse(x[row + j], i_syn[j], syn[j])
                    if synaptic:
                        i_syn[j] = i
                    u = integrate(i, v[j], alpha[j], gain[j])
                    th_now = threshold(th[j], scale[j], b[j])
                    spikes = count(u, th_now, limit)
                    paid = cost[j] if own_cost else th_now
                    v[j] = bound(reset(u, spikes, paid, value), low[j])
                    us[at_t + j] = u
                    if keeps_after:
                        vs[at_t + j] = v[j]
                    if keeps_current:
                        currents[at_t + j] = i
                    if adaptive:
                        traces[at_t + j] = b[j]
                        b[j] = adapt(b[j], spikes, keep[j], add[j])
            # what came before the first step, for the parameters that it is multiplied by
            load_row(trained and leaks, v0, state, 1, n, v)
            load_row(trained and synaptic, i0, state, 1, n, i_syn)
            for t in range(T - 1, -1, -1):
                row, at_t = (sample * T + t) * N + at, t * WIDEST
                if t > 0:
                    prefetch_row(g, row - N, n)
                for j in range(n):
                    u = us[at_t + j]
                    b_now = traces[at_t + j] if adaptive else ZERO
                    th_now = threshold(th[j], scale[j], b_now)
                    paid = cost[j] if own_cost else th_now
                    spikes = count(u, th_now, limit)
                    gw, gs, g_paid = gv[j], g[row + j], ZERO
                    if bounded:
                        is_low = vs[at_t + j] <= low[j]
                        if trained:
                            g_low[j] += gw if is_low else ZERO
                        gw = ZERO if is_low else gw
                    if adaptive:
                        gs += gb[j] * add[j]
                        if trained:
                            g_add[j] += gb[j] * spikes
                            g_keep[j] += gb[j] * b_now
                    if subtracts:
                        gs -= gw * paid
                        g_paid = -gw * spikes
                    if trained and own_cost:
                        g_cost[j] += g_paid
                    if trained and pays_threshold:
                        g_th[j] += g_paid
                    if adaptive:
                        gb[j] = gb[j] * keep[j]
                        if pays_threshold:
                            gb[j] += g_paid * scale[j]
                            if trained:
                                g_scale[j] += g_paid * b_now
                    if sets:
                        gw = ZERO if spikes != ZERO else gw
                    if fires:
                        rate_now = rate_of(th_now, own) if adaptive else rate[j]
                        gu = gw + gs * slope(u, th_now, rate_now, own)
                    else:
                        gu = gw + gs
                    gv[j] = gu * alpha[j] if leaks else gu
                    if trained and leaks:
                        before = vs[at_t - WIDEST + j] if t > 0 else v[j]
                        g_alpha[j] += gu * before
                    if normed:
                        if trained:
                            i = currents[at_t + j] if synaptic else x[row + j]
                            g_gain[j] += gu * i
                        gu = gu * gain[j]
                    if synaptic:
                        gu = gu + gi[j]
                        if trained:
                            i = currents[at_t - WIDEST + j] if t > 0 else i_syn[j]
                            g_syn[j] += gu * (i + x[row + j])
                        gu = gu * syn[j]
                        gi[j] = gu
                    gx[row + j] = gu
            store_row(True, gv, n, gv0, state)
            store_row(synaptic, gi, n, gi0, state)
            store_row(adaptive, gb, n, gb0, state)
            if trained:
                store_row(r_alpha >= 0, g_alpha, n, gp, to + r_alpha * N)
                store_row(r_gain >= 0, g_gain, n, gp, to + r_gain * N)
                store_row(r_syn >= 0, g_syn, n, gp, to + r_syn * N)
                store_row(r_low >= 0, g_low, n, gp, to + r_low * N)
                store_row(r_th >= 0, g_th, n, gp, to + r_th * N)
                store_row(r_cost >= 0, g_cost, n, gp, to + r_cost * N)
                store_row(r_scale >= 0, g_scale, n, gp, to + r_scale * N)
                store_row(r_keep >= 0, g_keep, n, gp, to + r_keep * N)
                store_row(r_add >= 0, g_add, n, gp, to + r_add * N)

    return sweep
