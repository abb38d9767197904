"""The slopes of the built-in surrogate gradients, scalar by scalar, as the kernels inline them.

A slope is a pair: `rate(threshold, c)`, which a kernel computes once for a threshold that stays, and
`slope(v, threshold, rate, c)`. `c` are the constants of `ops/plan.py`: the surrogate's own numbers are from
`c[2]` on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from picojoule.ops.cpu.exponential import exp

F = np.float32
ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)
ROOT_2_PI = F(math.sqrt(2 * math.pi))
_inlined = njit(forceinline=True, error_model="numpy", fastmath={"contract"})


@_inlined  # type: ignore[untyped-decorator]
def _inverse(threshold: Any, c: Any) -> Any:
    return ONE / threshold


@_inlined  # type: ignore[untyped-decorator]
def _inverse_width(threshold: Any, c: Any) -> Any:
    return ONE / (threshold * c[2])


@_inlined  # type: ignore[untyped-decorator]
def _single_exponential(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
    return c[3] * rate * exp(-abs(v - threshold) * rate)


@_inlined  # type: ignore[untyped-decorator]
def _periodic_exponential(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
    phase = v * rate - HALF
    to_multiple = abs(threshold * (TWO * (phase - np.floor(phase)) - ONE))
    distance = abs(v - threshold) if v < threshold else to_multiple
    return c[3] * exp(-distance / c[2])


@_inlined  # type: ignore[untyped-decorator]
def _heaviside(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
    return rate if v >= threshold - c[2] else ZERO


@_inlined  # type: ignore[untyped-decorator]
def _density(x: Any, mean: Any, deviation: Any) -> Any:
    z = (x - mean) / deviation
    return exp(-HALF * (z * z)) / (deviation * ROOT_2_PI)


@_inlined  # type: ignore[untyped-decorator]
def _gaussian(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
    return c[4] * _density(v - threshold, c[2], c[3])


@_inlined  # type: ignore[untyped-decorator]
def _multi_gaussian(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
    x, mu, sigma, h = v - threshold, c[2], c[3], c[4]
    wide = c[5] * sigma
    sides = _density(x, mu + sigma, wide) + _density(x, mu - sigma, wide)
    return c[6] * ((ONE + h) * _density(x, mu, sigma) - h * sides)


@_inlined  # type: ignore[untyped-decorator]
def _no_slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
    return ZERO


SLOPES = {
    "SingleExponential": (_inverse_width, _single_exponential),
    "PeriodicExponential": (_inverse, _periodic_exponential),
    "Heaviside": (_inverse, _heaviside),
    "Gaussian": (_inverse, _gaussian),
    "MultiGaussian": (_inverse, _multi_gaussian),
    "none": (_inverse, _no_slope),
}
