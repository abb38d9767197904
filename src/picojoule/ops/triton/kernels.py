"""The two passes over a sequence. A program has one sample's block of neurons, and time inside.

Tensors are contiguous: `x`, `s` and their gradients `b t n` in the input's dtype, states `b n`, parameters
`rows n`, all else float32. Time goes in chunks of K steps: a chunk's inputs are loaded before its
recurrence starts, so that K loads are on their way at once. The forward pass keeps the states before each chunk,
`states b chunks n`; the backward pass computes a chunk again from there, in registers.
"""

from __future__ import annotations

import triton
import triton.language as tl

from picojoule.ops.triton.membrane import (
    adapted,
    after_reset,
    bounded,
    charged,
    cost_now,
    count,
    threshold_now,
)
from picojoule.ops.triton.surrogates import slope


@triton.jit(do_not_specialize=["T", "blocks"])
def forward_kernel(
    x, v0, i0, b0, p, s, v1, i1, b1, kept,
    T, N, blocks, numbers, constants,
    PLAN: tl.constexpr, ROWS: tl.constexpr, KEEP: tl.constexpr, K: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Outputs `s`, end states, and with KEEP the states before each chunk."""
    batch, sample, column, live, last, n = _place(T, N, blocks, BLOCK)
    parameters = _parameters(p, numbers, column, live, n, ROWS)
    state = sample * n + column
    v = tl.load(v0 + state, mask=live, other=0.0)
    i = tl.load(i0 + state, mask=live, other=0.0) if PLAN.synaptic else v
    b = tl.load(b0 + state, mask=live, other=0.0) if PLAN.adaptive else v
    at = sample * tl.cast(T, tl.int64) * n + column
    chunks = (tl.cast(T, tl.int64) + (K - 1)) // K
    to = sample * chunks * n + column
    states = batch * chunks * n
    for t in range(0, T, K):
        if KEEP:
            tl.store(kept + to, v, mask=live)
            if PLAN.synaptic:
                tl.store(kept + to + states, i, mask=live)
            if PLAN.adaptive:
                tl.store(kept + to + (2 if PLAN.synaptic else 1) * states, b, mask=live)
            to += n
        xs = _loaded(x, at, n, t, last, K)
        for k in tl.static_range(K):
            if t + k < T:
                u, i, _ = charged(xs[k], v, i, parameters, PLAN)
                threshold = threshold_now(b, parameters, PLAN)
                spikes = count(u, threshold, constants[0], PLAN)
                tl.store(s + at + k * n, spikes.to(s.dtype.element_ty), mask=live)
                v = after_reset(u, spikes, threshold, constants[1], parameters, PLAN)
                v = bounded(v, parameters, PLAN)
                b = adapted(b, spikes, parameters, PLAN)
        at += K * n
    tl.store(v1 + state, v, mask=live)
    if PLAN.synaptic:
        tl.store(i1 + state, i, mask=live)
    if PLAN.adaptive:
        tl.store(b1 + state, b, mask=live)


@triton.jit(do_not_specialize=["T", "blocks"])
def backward_kernel(
    x, kept, p, g, gv1, gi1, gb1, gx, gv0, gi0, gb0, gp,
    T, N, blocks, numbers, constants,
    PLAN: tl.constexpr, ROWS: tl.constexpr, WANTS_P: tl.constexpr, K: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients of the input, of the first states, and each sample's share of the parameters', `b rows n`.

    Gradients of outputs that nothing depends on are None.
    """
    batch, sample, column, live, last, n = _place(T, N, blocks, BLOCK)
    parameters = _parameters(p, numbers, column, live, n, ROWS)
    state = sample * n + column
    zero = tl.zeros([BLOCK], tl.float32)
    gv = _given(gv1, state, live, zero)
    gi = _given(gi1, state, live, zero)
    gb = _given(gb1, state, live, zero)
    g_alpha, g_gain, g_syn, g_low, g_th, g_cost = zero, zero, zero, zero, zero, zero
    g_scale, g_share, g_new = zero, zero, zero
    chunks = (tl.cast(T, tl.int64) + (K - 1)) // K
    start = sample * chunks * n + column
    states = batch * chunks * n
    first = sample * tl.cast(T, tl.int64) * n + column
    for back in range(0, T, K):
        t = (T + K - 1) // K * K - K - back
        at = first + tl.cast(t, tl.int64) * n
        of = start + tl.cast(t // K, tl.int64) * n
        v = tl.load(kept + of, mask=live, other=0.0)
        i = tl.load(kept + of + states, mask=live, other=0.0) if PLAN.synaptic else zero
        b = zero
        if PLAN.adaptive:
            b = tl.load(kept + of + (2 if PLAN.synaptic else 1) * states, mask=live, other=0.0)
        xs = _loaded(x, at, n, t, last, K)
        gs_of = _loaded(g, at, n, t, last, K) if g is not None else ()
        us, vs, currents, arrivals, bs = (), (), (), (), ()
        for k in tl.static_range(K):
            u, i, arrived = charged(xs[k], v, i, parameters, PLAN)
            us, vs, bs = us + (u,), vs + (v,), bs + (b,)
            arrivals = arrivals + (arrived,)
            currents = currents + ((i if PLAN.synaptic else xs[k]),)
            threshold = threshold_now(b, parameters, PLAN)
            spikes = count(u, threshold, constants[0], PLAN)
            v = after_reset(u, spikes, threshold, constants[1], parameters, PLAN)
            v = bounded(v, parameters, PLAN)
            b = adapted(b, spikes, parameters, PLAN)
        for k in tl.static_range(K - 1, -1, -1):
            if t + k < T:
                u = us[k]
                threshold = threshold_now(bs[k], parameters, PLAN)
                spikes = count(u, threshold, constants[0], PLAN)
                gs = gs_of[k] if g is not None else zero
                gw = gv
                if PLAN.bounded:
                    w = after_reset(u, spikes, threshold, constants[1], parameters, PLAN)
                    is_low = w <= parameters[3]
                    g_low += tl.where(is_low, gw, 0.0)
                    gw = tl.where(is_low, 0.0, gw)
                if PLAN.adaptive:
                    g_share += gb * bs[k]
                    g_new += gb * spikes
                    gs += gb * parameters[8]
                    gb = gb * parameters[7]
                if PLAN.reset == "to":
                    gw = tl.where(spikes != 0.0, 0.0, gw)
                elif PLAN.reset != "none":
                    paid = gw * spikes
                    gs -= gw * cost_now(threshold, parameters, PLAN)
                    if PLAN.reset == "value":
                        g_cost -= paid
                    else:
                        g_th -= paid
                        if PLAN.adaptive:
                            g_scale -= paid * bs[k]
                            gb -= paid * parameters[6]
                if PLAN.spike == "none":
                    gu = gw + gs
                else:
                    gu = gw + gs * slope(u, threshold, constants, PLAN)
                gv = gu
                if PLAN.leaks:
                    g_alpha += gu * vs[k]
                    gv = gu * parameters[0]
                if PLAN.normed:
                    g_gain += gu * currents[k]
                    gu = gu * parameters[1]
                if PLAN.synaptic:
                    gi = gu + gi
                    g_syn += gi * arrivals[k]
                    gi = gi * parameters[2]
                    gu = gi
                tl.store(gx + at + k * n, gu.to(gx.dtype.element_ty), mask=live)
    tl.store(gv0 + state, gv, mask=live)
    if PLAN.synaptic:
        tl.store(gi0 + state, gi, mask=live)
    if PLAN.adaptive:
        tl.store(gb0 + state, gb, mask=live)
    if WANTS_P:
        to = sample * ROWS.count * n + column
        _store_row(gp, to, n, g_alpha, live, ROWS.alpha_mem)
        _store_row(gp, to, n, g_gain, live, ROWS.gain)
        _store_row(gp, to, n, g_syn, live, ROWS.alpha_syn)
        _store_row(gp, to, n, g_low, live, ROWS.min_v_mem)
        _store_row(gp, to, n, g_th, live, ROWS.threshold)
        _store_row(gp, to, n, g_cost, live, ROWS.cost)
        _store_row(gp, to, n, g_scale, live, ROWS.adapt_scale)
        _store_row(gp, to, n, g_share, live, ROWS.adapt_alpha)
        _store_row(gp, to, n, g_new, live, ROWS.adapt_gain)


@triton.jit
def _place(T, N, blocks, BLOCK: tl.constexpr):
    """Where a program is, in 64 bits: a tensor may have more than 2**31 elements.

    `last` is T for a neuron that there is and 0 for one beyond the end: a load of step t is masked by
    `t < last`, one comparison of blocks.
    """
    n = tl.cast(N, tl.int64)
    program = tl.program_id(0)
    sample = tl.cast(program // blocks, tl.int64)
    batch = tl.cast(tl.num_programs(0) // blocks, tl.int64)
    column = tl.cast(program % blocks, tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = column < n
    return batch, sample, column, live, tl.where(live, T, 0), n


@triton.jit
def _loaded(x, at, n, t, last, K: tl.constexpr):
    """K steps of a sequence, from step `t` on; zeros past the end."""
    xs = ()
    for k in tl.static_range(K):
        xs = xs + (tl.load(x + at + k * n, mask=t + k < last, other=0.0).to(tl.float32),)
    return xs


@triton.jit
def _given(g, state, live, zero):
    """The gradient of an end state, if anything depends on it."""
    if g is None:
        found = zero
    else:
        found = tl.load(g + state, mask=live, other=0.0)
    return found


@triton.jit
def _parameters(p, numbers, column, live, n, ROWS: tl.constexpr):
    return (
        _parameter(p, numbers[0], column, live, n, ROWS.alpha_mem),
        _parameter(p, numbers[1], column, live, n, ROWS.gain),
        _parameter(p, numbers[2], column, live, n, ROWS.alpha_syn),
        _parameter(p, numbers[3], column, live, n, ROWS.min_v_mem),
        _parameter(p, numbers[4], column, live, n, ROWS.threshold),
        _parameter(p, numbers[5], column, live, n, ROWS.cost),
        _parameter(p, numbers[6], column, live, n, ROWS.adapt_scale),
        _parameter(p, numbers[7], column, live, n, ROWS.adapt_alpha),
        _parameter(p, numbers[8], column, live, n, ROWS.adapt_gain),
    )


@triton.jit
def _parameter(p, number, column, live, n, ROW: tl.constexpr):
    """A row of the matrix, or a number; 1 where there is no neuron, for divisions."""
    if ROW >= 0:
        value = tl.load(p + ROW * n + column, mask=live, other=1.0)
    else:
        value = number
    return value


@triton.jit
def _store_row(gp, to, n, value, live, ROW: tl.constexpr):
    if ROW >= 0:
        tl.store(gp + to + ROW * n, value, mask=live)
