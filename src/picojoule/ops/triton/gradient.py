"""One step of the membrane against the order of time, for a block of neurons."""

from __future__ import annotations

import triton
import triton.language as tl

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
    g_alpha, g_gain, g_syn, g_low, g_th, g_cost, g_scale, g_share, g_new = sums
    threshold = threshold_now(b, parameters, PLAN)
    spikes = count(u, threshold, constants[0], PLAN)
    gw = gv
    if PLAN.bounded:
        w = after_reset(u, spikes, threshold, constants[1], parameters, PLAN)
        is_low = w <= parameters[3]
        g_low += tl.where(is_low, gw, 0.0)
        gw = tl.where(is_low, 0.0, gw)
    if PLAN.adaptive:
        g_share += gb * b
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
                g_scale -= paid * b
                gb -= paid * parameters[6]
    if PLAN.spike == "none":
        gu = gw + gs
    else:
        gu = gw + gs * slope(u, threshold, constants, PLAN)
    gv = gu
    if PLAN.leaks:
        g_alpha += gu * v
        gv = gu * parameters[0]
    if PLAN.normed:
        g_gain += gu * current
        gu = gu * parameters[1]
    if PLAN.synaptic:
        gi = gu + gi
        g_syn += gi * arrived
        gi = gi * parameters[2]
        gu = gi
    return gu, gv, gi, gb, (g_alpha, g_gain, g_syn, g_low, g_th, g_cost, g_scale, g_share, g_new)
