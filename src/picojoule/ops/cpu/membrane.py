"""One step of the membrane, scalar by scalar: the arithmetic of `ops/reference.py` in its order.

Compiled without fast-math: a multiplication and an addition that were fused would round once where the
reference rounds twice, and a neuron at its threshold would fire at another step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from picojoule.ops.plan import NONE, Plan

ZERO = np.float32(0)
_exact = njit(forceinline=True, error_model="numpy")


class Steps(NamedTuple):
    """The compiled pieces of a step."""

    synapse: Any
    integrate: Any
    threshold: Any
    count: Any
    reset: Any
    bound: Any
    adapt: Any


def steps(plan: Plan) -> Steps:
    """The pieces of a step of a neuron, with what the plan leaves out left out."""
    leaks, normed, synaptic, bounded = plan.leaks, plan.normed, plan.synaptic, plan.bounded
    adaptive, limited = plan.adaptive, plan.limited
    is_single, fires = plan.spike == "single", plan.spike != NONE
    sets, subtracts = plan.reset == "to", plan.reset in ("threshold", "value")

    @_exact  # type: ignore[untyped-decorator]
    def synapse(x: Any, i_syn: Any, alpha_syn: Any) -> Any:
        if synaptic:
            return alpha_syn * (i_syn + x)
        return x

    @_exact  # type: ignore[untyped-decorator]
    def integrate(i: Any, v: Any, alpha_mem: Any, gain: Any) -> Any:
        if normed:
            i = gain * i
        if leaks:
            return alpha_mem * v + i
        return v + i

    @_exact  # type: ignore[untyped-decorator]
    def threshold(at_rest: Any, scale: Any, trace: Any) -> Any:
        if adaptive:
            return at_rest + scale * trace
        return at_rest

    @_exact  # type: ignore[untyped-decorator]
    def count(v: Any, th: Any, limit: Any) -> Any:
        if not fires:
            return v
        if is_single:
            return np.float32(1) if v >= th else ZERO
        spikes = np.floor(v / th)
        spikes = ZERO if spikes < ZERO else spikes
        if limited:
            spikes = limit if spikes > limit else spikes
        return spikes

    @_exact  # type: ignore[untyped-decorator]
    def reset(v: Any, spikes: Any, cost: Any, value: Any) -> Any:
        if sets:
            return value if spikes != ZERO else v
        if subtracts:
            return v - spikes * cost
        return v

    @_exact  # type: ignore[untyped-decorator]
    def bound(v: Any, min_v_mem: Any) -> Any:
        if bounded:
            return min_v_mem if v <= min_v_mem else v
        return v

    @_exact  # type: ignore[untyped-decorator]
    def adapt(trace: Any, spikes: Any, alpha: Any, gain: Any) -> Any:
        return alpha * trace + gain * spikes

    return Steps(synapse, integrate, threshold, count, reset, bound, adapt)
