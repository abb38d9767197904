"""One step of the membrane for a block of neurons: the arithmetic of `ops/reference.py` in its order.

Kernels are launched with `enable_fp_fusion=False`: a multiplication and an addition that were fused would
round once where the reference rounds twice. Divisions that decide on spikes are rounded correctly
(`div_rn`); Triton's `/` is not. Comparisons instead of `maximum` let NaN through, as the reference does.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def charged(x, v, i, parameters, PLAN: tl.constexpr):
    """Potential and synaptic current after the input `x`, and what the current was before its decay."""
    alpha_mem, gain, alpha_syn = parameters[0], parameters[1], parameters[2]
    arrived = x
    if PLAN.synaptic:
        arrived = i + x
        i = alpha_syn * arrived
        x = i
    if PLAN.normed:
        x = gain * x
    if PLAN.leaks:
        u = alpha_mem * v + x
    else:
        u = v + x
    return u, i, arrived


@triton.jit
def threshold_now(b, parameters, PLAN: tl.constexpr):
    """The threshold, raised by the trace `b` of the neuron's own spikes where it adapts."""
    threshold = parameters[4]
    if PLAN.adaptive:
        threshold = threshold + parameters[6] * b
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
        threshold = parameters[5]
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
        v = tl.where(v <= parameters[3], parameters[3], v)
    return v


@triton.jit
def adapted(b, spikes, parameters, PLAN: tl.constexpr):
    """The trace of spikes after a step."""
    if PLAN.adaptive:
        b = parameters[7] * b + parameters[8] * spikes
    return b


@triton.jit
def step(x, v, i, b, parameters, constants, PLAN: tl.constexpr):
    """All of a step: what it gives out, the states after it; potential before the reset, what arrived."""
    u, i, arrived = charged(x, v, i, parameters, PLAN)
    threshold = threshold_now(b, parameters, PLAN)
    spikes = count(u, threshold, constants[0], PLAN)
    v = after_reset(u, spikes, threshold, constants[1], parameters, PLAN)
    v = bounded(v, parameters, PLAN)
    b = adapted(b, spikes, parameters, PLAN)
    return spikes, v, i, b, u, arrived
