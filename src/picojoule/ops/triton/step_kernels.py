"""One step of a recurrent neuron, forward and against time, for what lies between two matrix products.

Sequences are `b t n` as in `kernels`; what passes between steps is `b n` and stays in one place, where
a program reads and writes its own neurons alone: states, their gradients, and the sums of the parameters'.
"""

from __future__ import annotations

import triton
import triton.language as tl

from picojoule.ops.triton.blocks import parameters_at, place, store_sums, sums_at
from picojoule.ops.triton.gradient import step_back
from picojoule.ops.triton.membrane import step


@triton.jit(do_not_specialize=["t", "T", "blocks"])
def forward_step_kernel(
    x, feedback, p, s, now, total, v_mem, i_syn, trace, t,
    T, N, blocks, numbers, constants,
    PLAN: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Outputs of step `t` in `s` and, for the product, in `now`; in `total`, if there is one, what went in."""
    _, sample, column, live, _, n = place(T, N, blocks, BLOCK)
    parameters = parameters_at(p, numbers, column, live, n, ROWS)
    state = sample * n + column
    at = (sample * T + t) * n + column
    v = tl.load(v_mem + state, mask=live, other=0.0)
    i = tl.load(i_syn + state, mask=live, other=0.0) if PLAN.synaptic else v
    b = tl.load(trace + state, mask=live, other=0.0) if PLAN.adaptive else v
    came = tl.load(x + at, mask=live, other=0.0).to(tl.float32)
    came += tl.load(feedback + state, mask=live, other=0.0).to(tl.float32)
    spikes, v, i, b, _, _ = step(came, v, i, b, parameters, constants, PLAN)
    tl.store(s + at, spikes.to(s.dtype.element_ty), mask=live)
    tl.store(now + state, spikes.to(now.dtype.element_ty), mask=live)
    if total is not None:
        tl.store(total + at, came, mask=live)
    tl.store(v_mem + state, v, mask=live)
    if PLAN.synaptic:
        tl.store(i_syn + state, i, mask=live)
    if PLAN.adaptive:
        tl.store(trace + state, b, mask=live)


@triton.jit(do_not_specialize=["t", "T", "blocks"])
def backward_step_kernel(
    total, kept, p, g, back, gx, gr, gv_mem, gi_syn, g_trace, gp, t,
    T, N, blocks, numbers, constants,
    PLAN: tl.constexpr, ROWS: tl.constexpr, WANTS_P: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradient of step `t`'s input in `gx`, and of the first step's in float32 in `gr` too.

    The gradient of its outputs is `g`, unless None, and what later steps made of them, `back`; `kept`
    are the states before each step, `states b t n`.
    """
    batch, sample, column, live, _, n = place(T, N, blocks, BLOCK)
    parameters = parameters_at(p, numbers, column, live, n, ROWS)
    zero = tl.zeros([BLOCK], tl.float32)
    state = sample * n + column
    at = (sample * T + t) * n + column
    states = batch * T * n
    v = tl.load(kept + at, mask=live, other=0.0)
    i = tl.load(kept + at + states, mask=live, other=0.0) if PLAN.synaptic else zero
    b = zero
    if PLAN.adaptive:
        b = tl.load(kept + at + (2 if PLAN.synaptic else 1) * states, mask=live, other=0.0)
    came = tl.load(total + at, mask=live, other=0.0)
    gs = tl.load(back + state, mask=live, other=0.0).to(tl.float32)
    if g is not None:
        gs += tl.load(g + at, mask=live, other=0.0).to(tl.float32)
    gv = tl.load(gv_mem + state, mask=live, other=0.0)
    gi = tl.load(gi_syn + state, mask=live, other=0.0) if PLAN.synaptic else zero
    gb = tl.load(g_trace + state, mask=live, other=0.0) if PLAN.adaptive else zero
    to = sample * ROWS.count * n + column
    sums = sums_at(gp, to, n, live, zero, ROWS, WANTS_P)
    _, _, i_after, _, u, arrived = step(came, v, i, b, parameters, constants, PLAN)
    current = i_after if PLAN.synaptic else came
    gu, gv, gi, gb, sums = step_back(
        u, v, b, current, arrived, gs, gv, gi, gb, sums, parameters, constants, PLAN
    )
    tl.store(gx + at, gu.to(gx.dtype.element_ty), mask=live)
    if t == 0:
        tl.store(gr + state, gu, mask=live)
    tl.store(gv_mem + state, gv, mask=live)
    if PLAN.synaptic:
        tl.store(gi_syn + state, gi, mask=live)
    if PLAN.adaptive:
        tl.store(g_trace + state, gb, mask=live)
    if WANTS_P:
        store_sums(gp, to, n, sums, live, ROWS)
