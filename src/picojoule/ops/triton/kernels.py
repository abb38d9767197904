"""The two passes over a sequence. A program has one sample's block of neurons, and time inside.

Tensors are contiguous: `x`, `s` and their gradients `b t n` in the input's dtype, states `b n`, parameters
`rows n`, all else float32. Time goes in chunks of K steps: a chunk's inputs are loaded before its
recurrence starts, so that K loads are on their way at once. The forward pass keeps the states before each chunk,
`states b chunks n`; the backward pass computes a chunk again from there, in registers.
"""

from __future__ import annotations

import triton
import triton.language as tl

from picojoule.ops.triton.blocks import given, loaded, parameters_at, place, store_sums, sums_at
from picojoule.ops.triton.gradient import step_back
from picojoule.ops.triton.membrane import step


@triton.jit(do_not_specialize=["T", "blocks"])
def forward_kernel(
    x, v0, i0, b0, p, s, v1, i1, b1, kept,
    T, N, blocks, numbers, constants,
    PLAN: tl.constexpr, ROWS: tl.constexpr, KEEP: tl.constexpr, K: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Outputs `s`, end states, and with KEEP the states before each chunk."""
    batch, sample, column, live, last, n = place(T, N, blocks, BLOCK)
    parameters = parameters_at(p, numbers, column, live, n, ROWS)
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
        xs = loaded(x, at, n, t, last, K)
        for k in tl.static_range(K):
            if t + k < T:
                spikes, v, i, b, _, _ = step(xs[k], v, i, b, parameters, constants, PLAN)
                tl.store(s + at + k * n, spikes.to(s.dtype.element_ty), mask=live)
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
    batch, sample, column, live, last, n = place(T, N, blocks, BLOCK)
    parameters = parameters_at(p, numbers, column, live, n, ROWS)
    state = sample * n + column
    zero = tl.zeros([BLOCK], tl.float32)
    gv = given(gv1, state, live, zero)
    gi = given(gi1, state, live, zero)
    gb = given(gb1, state, live, zero)
    sums = sums_at(gp, 0, n, live, zero, ROWS, False)
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
        xs = loaded(x, at, n, t, last, K)
        gs_of = loaded(g, at, n, t, last, K) if g is not None else ()
        us, vs, currents, arrivals, bs = (), (), (), (), ()
        for k in tl.static_range(K):
            vs, bs = vs + (v,), bs + (b,)
            _, v, i, b, u, arrived = step(xs[k], v, i, b, parameters, constants, PLAN)
            us, arrivals = us + (u,), arrivals + (arrived,)
            currents = currents + ((i if PLAN.synaptic else xs[k]),)
        for k in tl.static_range(K - 1, -1, -1):
            if t + k < T:
                gs = gs_of[k] if g is not None else zero
                gu, gv, gi, gb, sums = step_back(
                    us[k], vs[k], bs[k], currents[k], arrivals[k], gs, gv, gi, gb, sums,
                    parameters, constants, PLAN,
                )  # fmt: skip
                tl.store(gx + at + k * n, gu.to(gx.dtype.element_ty), mask=live)
    tl.store(gv0 + state, gv, mask=live)
    if PLAN.synaptic:
        tl.store(gi0 + state, gi, mask=live)
    if PLAN.adaptive:
        tl.store(gb0 + state, gb, mask=live)
    if WANTS_P:
        store_sums(gp, sample * ROWS.count * n + column, n, sums, live, ROWS)
