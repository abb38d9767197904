"""One step of the membrane for a block of neurons: the arithmetic of `ops/reference.py` in its order.

Kernels are launched with `enable_fp_fusion=False`: a multiplication and an addition that were fused would
round once where the reference rounds twice. Divisions that decide on spikes are rounded correctly
(`div_rn`); Triton's `/` is not. Comparisons instead of `maximum` let NaN through, as the reference does.
"""

from __future__ import annotations

import triton
import triton.language as tl

from picojoule.ops.triton.indices import (
    ADAPT_SCALE,
    ALPHA_ADAPT,
    ALPHA_MEM,
    ALPHA_SYN,
    COST,
    GAIN_ADAPT,
    GAIN_MEM,
    LIMIT,
    MIN_V_MEM,
    RESET_VALUE,
    THRESHOLD,
)


@triton.jit
def charged(x, v, i, parameters, PLAN: tl.constexpr):
    """Potential and synaptic current after the input `x`, and what the current was before its decay."""
    arrived = x
    if PLAN.synaptic:
        arrived = i + x
        i = parameters[ALPHA_SYN] * arrived
        x = i
    if PLAN.normed:
        x = parameters[GAIN_MEM] * x
    if PLAN.leaks:
        u = parameters[ALPHA_MEM] * v + x
    else:
        u = v + x
    return u, i, arrived


@triton.jit
def threshold_now(b, parameters, PLAN: tl.constexpr):
    """The threshold, raised by the trace `b` of the neuron's own spikes where it adapts."""
    threshold = parameters[THRESHOLD]
    if PLAN.adaptive:
        threshold = threshold + parameters[ADAPT_SCALE] * b
    return threshold


@triton.jit
def count(u, threshold, limit, PLAN: tl.constexpr):
    """What the neuron gives out at potential `u`: spikes, or the potential if it never fires."""
    if PLAN.spike == "none":
        spikes = u
    elif PLAN.spike == "single":
        spikes = tl.where(u >= threshold, 1.0, 0.0)
    else:
        spikes = tl.floor(tl.div_rn(u, tl.broadcast_to(threshold, u.shape)))
        spikes = tl.where(spikes < 0.0, 0.0, spikes)
        if PLAN.limited:
            spikes = tl.where(spikes > limit, limit, spikes)
    return spikes


@triton.jit
def cost_now(threshold, parameters, PLAN: tl.constexpr):
    """What a spike takes off the potential."""
    if PLAN.reset == "value":
        threshold = parameters[COST]
    return threshold


@triton.jit
def after_reset(u, spikes, threshold, value, parameters, PLAN: tl.constexpr):
    """Potential after the reset, before the lower bound."""
    if PLAN.reset == "to":
        u = tl.where(spikes != 0.0, value, u)
    elif PLAN.reset != "none":
        u = u - spikes * cost_now(threshold, parameters, PLAN)
    return u


@triton.jit
def bounded(v, parameters, PLAN: tl.constexpr):
    """The potential, lifted to its lower bound."""
    if PLAN.bounded:
        v = tl.where(v <= parameters[MIN_V_MEM], parameters[MIN_V_MEM], v)
    return v


@triton.jit
def adapted(b, spikes, parameters, PLAN: tl.constexpr):
    """The trace of spikes after a step."""
    if PLAN.adaptive:
        b = parameters[ALPHA_ADAPT] * b + parameters[GAIN_ADAPT] * spikes
    return b


@triton.jit
def step(x, v, i, b, parameters, constants, PLAN: tl.constexpr):
    """All of a step: what it gives out, the states after it; potential before the reset, what arrived."""
    u, i, arrived = charged(x, v, i, parameters, PLAN)
    threshold = threshold_now(b, parameters, PLAN)
    spikes = count(u, threshold, constants[LIMIT], PLAN)
    v = after_reset(u, spikes, threshold, constants[RESET_VALUE], parameters, PLAN)
    v = bounded(v, parameters, PLAN)
    b = adapted(b, spikes, parameters, PLAN)
    return spikes, v, i, b, u, arrived
