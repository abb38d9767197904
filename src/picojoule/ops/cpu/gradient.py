"""One step of the membrane against the order of time, scalar by scalar, in the words of `triton/gradient.py`."""

from __future__ import annotations

import functools
from typing import Any

from picojoule.ops.cpu.inlined import contracted
from picojoule.ops.cpu.membrane import ONE, ZERO, membrane
from picojoule.ops.cpu.parameters import RATE, add_to, reader
from picojoule.ops.cpu.surrogates import surrogate_of
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


def gradient_step(plan: Plan) -> Any:
    """The step of a plan; what the plan leaves out is left out."""
    threshold_now, count, cost_now, after_reset, _ = membrane(plan)
    trained, shared = plan.trained, plan.shared
    reset_back = _reset_back(cost_now, plan.reset, plan.adaptive, trained, shared)
    charge_back = _charge_back(plan.synaptic, plan.normed, plan.leaks, trained, shared)
    slope_now = _slope_now(plan)
    bounded, adaptive, parameter = plan.bounded, plan.adaptive, reader(shared)

    @contracted
    def step_back(
        u: Any, v: Any, b: Any, arrived: Any, gs: Any, gv: Any, gi: Any, gb: Any,
        sums: Any, p: Any, j: Any, c: Any,
    ) -> Any:  # fmt: skip
        """Gradients of the step's input and of the states before it; adds to `sums`, the parameters'.

        `u` is the potential before the reset, `v` and `b` are states before the step; `gs` is the gradient of what
        it gave out, `gv`, `gi` and `gb` those of the states after it.
        """
        threshold = threshold_now(b, p, j)
        spikes = count(u, threshold, c[LIMIT])
        gw = gv
        if bounded:
            w = after_reset(u, spikes, cost_now(threshold, p, j), c[RESET_VALUE])
            is_low = w <= parameter(p, MIN_V_MEM, j)
            if trained:
                add_to(sums, MIN_V_MEM, j, gw if is_low else ZERO)
            gw = ZERO if is_low else gw
        if adaptive:
            if trained:
                add_to(sums, ALPHA_ADAPT, j, gb * b)
                add_to(sums, GAIN_ADAPT, j, gb * spikes)
            gs += gb * parameter(p, GAIN_ADAPT, j)
            gb = gb * parameter(p, ALPHA_ADAPT, j)
        gw, gs, gb = reset_back(spikes, threshold, b, gw, gs, gb, sums, p, j)
        gu = gw + gs * slope_now(u, threshold, p, j, c)
        gx, gv, gi = charge_back(v, arrived, gu, gi, sums, p, j)
        return gx, gv, gi, gb

    return step_back


@functools.cache
def _reset_back(cost_now: Any, reset: str, adaptive: bool, trained: bool, shared: bool) -> Any:
    sets, subtracts, own_cost = reset == "to", reset != NONE, reset == "value"
    parameter = reader(shared)

    @contracted
    def reset_back(
        spikes: Any, threshold: Any, b: Any, gw: Any, gs: Any, gb: Any, sums: Any, p: Any, j: Any
    ) -> Any:
        """Gradients of the potential before the reset, of the spikes and of the trace, from those after it."""
        if sets:
            gw = ZERO if spikes != ZERO else gw
        elif subtracts:
            paid = gw * spikes
            gs -= gw * cost_now(threshold, p, j)
            if trained:
                add_to(sums, COST if own_cost else THRESHOLD, j, -paid)
            if adaptive and not own_cost:
                gb -= paid * parameter(p, ADAPT_SCALE, j)
                if trained:
                    add_to(sums, ADAPT_SCALE, j, -paid * b)
        return gw, gs, gb

    return reset_back


def _slope_now(plan: Plan) -> Any:
    rate_of, slope = surrogate_of(plan)
    adaptive, fires, parameter = plan.adaptive, plan.spike != NONE, reader(plan.shared)

    @contracted
    def slope_now(u: Any, threshold: Any, p: Any, j: Any, c: Any) -> Any:
        """Stands for d spikes / d u; 1 for a neuron that gives out its potential."""
        if adaptive:
            return slope(u, threshold, rate_of(threshold, c), c)
        return slope(u, threshold, parameter(p, RATE, j), c)

    @contracted
    def one(u: Any, threshold: Any, p: Any, j: Any, c: Any) -> Any:
        return ONE

    return slope_now if fires else one


@functools.cache
def _charge_back(synaptic: bool, normed: bool, leaks: bool, trained: bool, shared: bool) -> Any:
    parameter = reader(shared)

    @contracted
    def charge_back(v: Any, arrived: Any, gu: Any, gi: Any, sums: Any, p: Any, j: Any) -> Any:
        """Gradients of the input and of the potential and synaptic current before it."""
        gv = gu
        if leaks:
            if trained:
                add_to(sums, ALPHA_MEM, j, gu * v)
            gv = gu * parameter(p, ALPHA_MEM, j)
        if normed:
            if trained:
                current = parameter(p, ALPHA_SYN, j) * arrived if synaptic else arrived
                add_to(sums, GAIN_MEM, j, gu * current)
            gu = gu * parameter(p, GAIN_MEM, j)
        if synaptic:
            gi = gu + gi
            if trained:
                add_to(sums, ALPHA_SYN, j, gi * arrived)
            gi = gi * parameter(p, ALPHA_SYN, j)
            gu = gi
        return gu, gv, gi

    return charge_back
