"""The slopes of the built-in surrogate gradients for a block of neurons.

`c` are the constants of `ops/plan.py`: the surrogate's own numbers are from `c[2]` on.
"""

from __future__ import annotations

import triton
import triton.language as tl

ROOT_2_PI = tl.constexpr(2.5066282746310002)


@triton.jit
def slope(v, threshold, c, PLAN: tl.constexpr):
    """Stands for d spikes / d v."""
    if PLAN.surrogate == "SingleExponential":
        rate = 1.0 / (threshold * c[2])
        slope = c[3] * rate * tl.exp(-tl.abs(v - threshold) * rate)
    elif PLAN.surrogate == "PeriodicExponential":
        slope = c[3] * tl.exp(-_periodic_distance(v, threshold) / c[2])
    elif PLAN.surrogate == "Heaviside":
        slope = tl.where(v >= threshold - c[2], 1.0, 0.0) / threshold
    elif PLAN.surrogate == "Gaussian":
        slope = c[4] * _density(v - threshold, c[2], c[3])
    elif PLAN.surrogate == "MultiGaussian":
        slope = c[6] * _lobes(v - threshold, c[2], c[3], c[4], c[5])
    else:
        tl.static_assert(False, "a surrogate gradient without a formula")
    return slope


@triton.jit
def _periodic_distance(v, threshold):
    """To the threshold from below; above it, twice that to its nearest multiple."""
    phase = tl.div_rn(v, tl.broadcast_to(threshold, v.shape)) - 0.5
    to_multiple = tl.abs(threshold * (2.0 * (phase - tl.floor(phase)) - 1.0))
    return tl.where(v < threshold, tl.abs(v - threshold), to_multiple)


@triton.jit
def _density(x, mean, deviation):
    z = (x - mean) / deviation
    return tl.exp(-0.5 * (z * z)) / (deviation * ROOT_2_PI)


@triton.jit
def _lobes(x, mu, sigma, h, s):
    sides = _density(x, mu + sigma, s * sigma) + _density(x, mu - sigma, s * sigma)
    return (1.0 + h) * _density(x, mu, sigma) - h * sides
