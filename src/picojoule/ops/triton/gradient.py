"""One step of the membrane against the order of time, for a block of neurons."""

from __future__ import annotations

import triton
import triton.language as tl

from picojoule.ops.triton.indices import (
    ADAPT_SCALE,
    ALPHA_ADAPT,
    ALPHA_MEM,
    ALPHA_SYN,
    GAIN_ADAPT,
    GAIN_MEM,
    LIMIT,
    MIN_V_MEM,
    RESET_VALUE,
)
from picojoule.ops.triton.membrane import after_reset, cost_now, count, threshold_now
from picojoule.ops.triton.surrogates import slope


@triton.jit
def step_back(
    u, v, b, current, arrived, gs, gv, gi, gb, sums, parameters, constants, PLAN: tl.constexpr
):  # fmt: skip
    """Gradients of the step's input and of the states before it; `sums` of the parameters' with the step's.

    `u` is the potential before the reset, `v` and `b` are states before the step; `gs` is the gradient of what
    it gave out, `gv`, `gi` and `gb` those of the states after it.
    """
    (
        g_alpha_mem, g_gain_mem, g_alpha_syn, g_min_v_mem, g_threshold,
        g_cost, g_adapt_scale, g_alpha_adapt, g_gain_adapt,
    ) = sums  # fmt: skip
    threshold = threshold_now(b, parameters, PLAN)
    spikes = count(u, threshold, constants[LIMIT], PLAN)
    gw = gv
    if PLAN.bounded:
        w = after_reset(u, spikes, threshold, constants[RESET_VALUE], parameters, PLAN)
        is_low = w <= parameters[MIN_V_MEM]
        g_min_v_mem += tl.where(is_low, gw, 0.0)
        gw = tl.where(is_low, 0.0, gw)
    if PLAN.adaptive:
        g_alpha_adapt += gb * b
        g_gain_adapt += gb * spikes
        gs += gb * parameters[GAIN_ADAPT]
        gb = gb * parameters[ALPHA_ADAPT]
    if PLAN.reset == "to":
        gw = tl.where(spikes != 0.0, 0.0, gw)
    elif PLAN.reset != "none":
        paid = gw * spikes
        gs -= gw * cost_now(threshold, parameters, PLAN)
        if PLAN.reset == "value":
            g_cost -= paid
        else:
            g_threshold -= paid
            if PLAN.adaptive:
                g_adapt_scale -= paid * b
                gb -= paid * parameters[ADAPT_SCALE]
    if PLAN.spike == "none":
        gu = gw + gs
    else:
        gu = gw + gs * slope(u, threshold, constants, PLAN)
    gv = gu
    if PLAN.leaks:
        g_alpha_mem += gu * v
        gv = gu * parameters[ALPHA_MEM]
    if PLAN.normed:
        g_gain_mem += gu * current
        gu = gu * parameters[GAIN_MEM]
    if PLAN.synaptic:
        gi = gu + gi
        g_alpha_syn += gi * arrived
        gi = gi * parameters[ALPHA_SYN]
        gu = gi
    sums = (
        g_alpha_mem, g_gain_mem, g_alpha_syn, g_min_v_mem, g_threshold,
        g_cost, g_adapt_scale, g_alpha_adapt, g_gain_adapt,
    )  # fmt: skip
    return gu, gv, gi, gb, sums
