"""One step of the membrane, scalar by scalar: the arithmetic of `ops/reference.py` in its order.

Compiled without fast-math: a multiplication and an addition that were fused would round once where the
reference rounds twice, and a neuron at its threshold would fire at another step. `p` are the rows of the
parameters (`parameters.py`), `j` the neuron's place in them, `c` the constants of `ops/plan.py`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.parameters import reader
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


class Membrane(NamedTuple):
    """A step, and the pieces of it that a step against time needs again."""

    threshold_now: Any
    count: Any
    cost_now: Any
    after_reset: Any
    step: Any


def membrane(plan: Plan) -> Membrane:
    """The membrane of a neuron, with what the plan leaves out left out.

    A piece is compiled once for all plans that have it alike.
    """
    steady = plan.shared and not plan.adaptive
    threshold_now = _threshold_now(plan.adaptive, plan.shared)
    count = _count(plan.spike, plan.limited, steady)
    cost_now = _cost_now(plan.reset == "value", plan.shared)
    after_reset = _after_reset(plan.reset)
    charged = _charged(plan.synaptic, plan.normed, plan.leaks, plan.shared)
    pieces = (threshold_now, count, cost_now, after_reset)
    return Membrane(*pieces, _step(charged, pieces, plan.bounded, plan.adaptive, plan.shared))


@functools.cache
def _step(
    charged: Any, pieces: tuple[Any, ...], bounded: bool, adaptive: bool, shared: bool
) -> Any:
    threshold_now, count, cost_now, after_reset = pieces
    parameter = reader(shared)

    @inlined
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

    return step


@functools.cache
def _charged(synaptic: bool, normed: bool, leaks: bool, shared: bool) -> Any:
    parameter = reader(shared)

    @inlined
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


@functools.cache
def _threshold_now(adaptive: bool, shared: bool) -> Any:
    parameter = reader(shared)

    @inlined
    def threshold_now(b: Any, p: Any, j: Any) -> Any:
        """The threshold, raised by the trace `b` of the neuron's own spikes where it adapts."""
        threshold = parameter(p, THRESHOLD, j)
        return threshold + parameter(p, ADAPT_SCALE, j) * b if adaptive else threshold

    return threshold_now


@functools.cache
def _count(spike: str, limited: bool, steady: bool) -> Any:
    """`steady`: the threshold is one number, of all neurons and steps."""
    fires, is_single = spike != NONE, spike == "single"

    @inlined
    def count(u: Any, threshold: Any, limit: Any) -> Any:
        """What the neuron gives out at potential `u`: spikes, or the potential if it never fires."""
        if not fires:
            return u
        if is_single:
            return ONE if u >= threshold else ZERO
        # a division by 1 changes nothing and takes time; the usual threshold is 1
        is_one = steady and threshold == ONE
        spikes = np.floor(u if is_one else u / threshold)
        spikes = ZERO if spikes < ZERO else spikes
        if limited:
            spikes = limit if spikes > limit else spikes
        return spikes

    return count


@functools.cache
def _cost_now(is_own: bool, shared: bool) -> Any:
    parameter = reader(shared)

    @inlined
    def cost_now(threshold: Any, p: Any, j: Any) -> Any:
        """What a spike takes off the potential."""
        return parameter(p, COST, j) if is_own else threshold

    return cost_now


@functools.cache
def _after_reset(reset: str) -> Any:
    sets, subtracts = reset == "to", reset in ("threshold", "value")

    @inlined
    def after_reset(u: Any, spikes: Any, cost: Any, value: Any) -> Any:
        """Potential after the reset, before the lower bound."""
        if sets:
            return value if spikes != ZERO else u
        return u - spikes * cost if subtracts else u

    return after_reset
