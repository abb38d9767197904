"""The slopes of the built-in surrogate gradients, scalar by scalar, as the kernels inline them.

A slope is a pair: `rate(threshold, c)`, which a kernel computes once for a threshold that stays, and
`slope(v, threshold, rate, c)`. `c` are the constants of `ops/plan.py`: the surrogate's own numbers are from
`c[2]` on.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from picojoule.ops.cpu.exponential import FLOAT32, FLOAT64, LOG2_E, Format, power_of_two
from picojoule.ops.cpu.inlined import contracted
from picojoule.ops.plan import Plan

F = np.float32  # these are exact in it, and a product with a float64 is one
ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)


def surrogate_of(plan: Plan) -> tuple[Any, Any]:
    """`rate` and `slope` of a plan's surrogate, in what it computes in."""
    rate, slope = SURROGATES[plan.surrogate]
    return rate, slope(FLOAT64 if plan.dtype == "float64" else FLOAT32)


@contracted
def _inverse(threshold: Any, c: Any) -> Any:
    return ONE / threshold


@contracted
def _inverse_width(threshold: Any, c: Any) -> Any:
    return ONE / (threshold * c[2])


@functools.cache
def _single_exponential(form: Format) -> Any:
    exp2, log2_e = power_of_two(form), form.real(LOG2_E)

    @contracted
    def slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
        return c[3] * rate * exp2(-abs(v - threshold) * (rate * log2_e))

    return slope


@functools.cache
def _periodic_exponential(form: Format) -> Any:
    exp2, log2_e = power_of_two(form), form.real(LOG2_E)

    @contracted
    def slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
        phase = v * rate - HALF
        to_multiple = abs(threshold * (TWO * (phase - np.floor(phase)) - ONE))
        distance = abs(v - threshold) if v < threshold else to_multiple
        return c[3] * exp2(-distance * (log2_e / c[2]))

    return slope


@functools.cache
def _heaviside(form: Format) -> Any:
    @contracted
    def slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
        return rate if v >= threshold - c[2] else ZERO

    return slope


@functools.cache
def _density(form: Format) -> Any:
    exp2, root_2_pi = power_of_two(form), form.real(math.sqrt(2 * math.pi))
    half_log2_e = form.real(LOG2_E / 2)

    @contracted
    def density(x: Any, mean: Any, deviation: Any) -> Any:
        z = (x - mean) / deviation
        return exp2(-half_log2_e * (z * z)) / (deviation * root_2_pi)

    return density


@functools.cache
def _gaussian(form: Format) -> Any:
    density = _density(form)

    @contracted
    def slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
        return c[4] * density(v - threshold, c[2], c[3])

    return slope


@functools.cache
def _multi_gaussian(form: Format) -> Any:
    density = _density(form)

    @contracted
    def slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
        x, mu, sigma, h = v - threshold, c[2], c[3], c[4]
        wide = c[5] * sigma
        sides = density(x, mu + sigma, wide) + density(x, mu - sigma, wide)
        return c[6] * ((ONE + h) * density(x, mu, sigma) - h * sides)

    return slope


@functools.cache
def _no_slope(form: Format) -> Any:
    @contracted
    def slope(v: Any, threshold: Any, rate: Any, c: Any) -> Any:
        return ZERO

    return slope


SURROGATES = {
    "SingleExponential": (_inverse_width, _single_exponential),
    "PeriodicExponential": (_inverse, _periodic_exponential),
    "Heaviside": (_inverse, _heaviside),
    "Gaussian": (_inverse, _gaussian),
    "MultiGaussian": (_inverse, _multi_gaussian),
    "none": (_inverse, _no_slope),
}
