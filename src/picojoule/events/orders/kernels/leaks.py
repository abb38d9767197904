"""The three clocks by which potentials leak.

    step:         v = alpha v                        at the beginning of each step
    tick:         v = max(v - loss, floor)           at the beginning of every k-th step, if v > floor
    exponential:  v = alpha^(time since then) v      when something reaches the neuron, and at the beginning of a step

Event number i of a step's n input events (1 ... n) is at the time t + i / n, and so is all that it causes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from picojoule.events.kernels.pointers import reals
from picojoule.events.orders.kernels.called import called
from picojoule.events.orders.kernels.tables import EXPONENTIAL, LAYER, STEP, TICK

ZERO, ONE = np.float32(0), np.float32(1)


@called
def leak(layer: Any, v: Any, steps: Any, tick_steps: Any) -> None:
    """At the beginning of a step, `steps` after the states were zero."""
    N, when = layer[LAYER.num_neurons], layer[LAYER.leak]
    keep = reals(layer[LAYER.keep])
    if when == STEP:
        for j in range(N):
            v[j] *= keep[j]
        if layer[LAYER.whole] != 0:
            for j in range(N):
                v[j] = np.trunc(v[j])
    elif when == TICK and steps > 0 and steps % tick_steps == 0:
        floor, loss = reals(layer[LAYER.floor]), reals(layer[LAYER.numbers])[2]
        for j in range(N):
            v[j] = max(v[j] - loss, floor[j]) if v[j] > floor[j] else v[j]
    elif when == EXPONENTIAL:
        bring_to_end(layer, v)
        latest = reals(layer[LAYER.latest])
        for j in range(N):
            latest[j] = ZERO


@called
def bring_to_end(layer: Any, v: Any) -> None:
    """All neurons, up to the end of the step."""
    latest, keep = reals(layer[LAYER.latest]), reals(layer[LAYER.keep])
    for j in range(layer[LAYER.num_neurons]):
        if latest[j] != ONE:
            if v[j] != ZERO:
                v[j] *= _kept(keep[j], ONE - latest[j])
                if layer[LAYER.whole] != 0:
                    v[j] = np.trunc(v[j])
            latest[j] = ONE


@called
def catch_up(layer: Any, v: Any, start: Any, end: Any, part: Any) -> None:
    """The neurons that something arrived at, up to this part of the step. Time never runs backwards."""
    x, latest = reals(layer[LAYER.current]), reals(layer[LAYER.latest])
    keep = reals(layer[LAYER.keep])
    passed, base, factor = ZERO, ONE, ONE
    for j in range(start, end):
        if x[j] != ZERO and latest[j] < part:
            if v[j] != ZERO:
                if (
                    part - latest[j] != passed or keep[j] != base
                ):  # a power takes time; often it is the one before
                    passed, base = part - latest[j], keep[j]
                    factor = _kept(base, passed)
                v[j] *= factor
                if layer[LAYER.whole] != 0:
                    v[j] = np.trunc(v[j])
            latest[j] = part


@called
def _kept(keep: Any, passed: Any) -> Any:
    """keep^passed; of a whole step just that number."""
    return keep if passed == ONE else keep**passed
