"""One step of the membrane, scalar by scalar: the arithmetic of `ops/reference.py` in its order.

Compiled without fast-math: a multiplication and an addition that were fused would round once where the
reference rounds twice, and a neuron at its threshold would fire at another step. `p` are the rows of the
parameters (`parameters.py`), `j` the neuron's place in them, `c` the constants of `ops/plan.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from picojoule.ops.cpu.parameters import parameter
from picojoule.ops.plan import (
    ADAPT_SCALE,
    ALPHA_ADAPT,
    ALPHA_MEM,
    ALPHA_SYN,
    COST,
    GAIN_ADAPT,
    GAIN_MEM,
    LIMIT,
    MIN_V_MEM,
    NONE,
    RESET_VALUE,
    THRESHOLD,
    Plan,
)

ZERO, ONE = np.float32(0), np.float32(1)
exact = njit(forceinline=True, error_model="numpy")


class Membrane(NamedTuple):
    """A step, and the pieces of it that a step against time needs again."""

    threshold_now: Any
    count: Any
    cost_now: Any
    after_reset: Any
    step: Any


def membrane(plan: Plan) -> Membrane:
    """The membrane of a neuron, with what the plan leaves out left out."""
    charged = _charged(plan)
    threshold_now, count = _threshold_now(plan), _count(plan)
    cost_now = _cost_now(plan)
    after_reset = _after_reset(plan)
    bounded, adaptive = plan.bounded, plan.adaptive

    @exact  # type: ignore[untyped-decorator]
    def step(x: Any, v: Any, i: Any, b: Any, p: Any, j: Any, c: Any) -> Any:
        """All of a step: what it gives out, the states after it; potential before the reset, what arrived."""
        u, i, arrived = charged(x, v, i, p, j)
        threshold = threshold_now(b, p, j)
        spikes = count(u, threshold, c[LIMIT])
        v = after_reset(u, spikes, cost_now(threshold, p, j), c[RESET_VALUE])
        if bounded:
            v = parameter(p, MIN_V_MEM, j) if v <= parameter(p, MIN_V_MEM, j) else v
        if adaptive:
            b = parameter(p, ALPHA_ADAPT, j) * b + parameter(p, GAIN_ADAPT, j) * spikes
        return spikes, v, i, b, u, arrived

    return Membrane(threshold_now, count, cost_now, after_reset, step)


def _charged(plan: Plan) -> Any:
    synaptic, normed, leaks = plan.synaptic, plan.normed, plan.leaks

    @exact  # type: ignore[untyped-decorator]
    def charged(x: Any, v: Any, i: Any, p: Any, j: Any) -> Any:
        """Potential and synaptic current after the input `x`, and what the current was before its decay."""
        arrived = x
        if synaptic:
            arrived = i + x
            i = parameter(p, ALPHA_SYN, j) * arrived
            x = i
        if normed:
            x = parameter(p, GAIN_MEM, j) * x
        u = parameter(p, ALPHA_MEM, j) * v + x if leaks else v + x
        return u, i, arrived

    return charged


def _threshold_now(plan: Plan) -> Any:
    adaptive = plan.adaptive

    @exact  # type: ignore[untyped-decorator]
    def threshold_now(b: Any, p: Any, j: Any) -> Any:
        """The threshold, raised by the trace `b` of the neuron's own spikes where it adapts."""
        threshold = parameter(p, THRESHOLD, j)
        return threshold + parameter(p, ADAPT_SCALE, j) * b if adaptive else threshold

    return threshold_now


def _count(plan: Plan) -> Any:
    fires, is_single, limited = plan.spike != NONE, plan.spike == "single", plan.limited

    @exact  # type: ignore[untyped-decorator]
    def count(u: Any, threshold: Any, limit: Any) -> Any:
        """What the neuron gives out at potential `u`: spikes, or the potential if it never fires."""
        if not fires:
            return u
        if is_single:
            return ONE if u >= threshold else ZERO
        spikes = np.floor(u / threshold)
        spikes = ZERO if spikes < ZERO else spikes
        if limited:
            spikes = limit if spikes > limit else spikes
        return spikes

    return count


def _cost_now(plan: Plan) -> Any:
    is_own = plan.reset == "value"

    @exact  # type: ignore[untyped-decorator]
    def cost_now(threshold: Any, p: Any, j: Any) -> Any:
        """What a spike takes off the potential."""
        return parameter(p, COST, j) if is_own else threshold

    return cost_now


def _after_reset(plan: Plan) -> Any:
    sets, subtracts = plan.reset == "to", plan.reset in ("threshold", "value")

    @exact  # type: ignore[untyped-decorator]
    def after_reset(u: Any, spikes: Any, cost: Any, value: Any) -> Any:
        """Potential after the reset, before the lower bound."""
        if sets:
            return value if spikes != ZERO else u
        return u - spikes * cost if subtracts else u

    return after_reset
