"""exp() in float32, from operations that the compiler turns into vector instructions."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

F = np.float32
LOG2_E = F(1.44269504088896340736)
# ln 2 in two parts: the first has few bits, so that its product with a small whole number is exact
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)
# adding and subtracting it rounds to whole numbers; no conversion to integer, which NaN would break
ROUNDER = F(12582912.0)  # 1.5 * 2**23
ROUNDER_BITS = np.int32(0x4B400000)
LOWEST, HIGHEST = F(-87.6), F(88.8)  # beyond, the result is 0 or infinity
C2, C3, C4, C5, C6, C7 = (F(1.0 / k) for k in (2, 6, 24, 120, 720, 5040))
ONE, BIAS, MANTISSA_BITS = F(1.0), np.int32(127), np.int32(23)


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_2(typing_context: Any, rounded: Any) -> Any:
    """2.0 ** n, made from its bits, of n + ROUNDER, whose last bits are n; -127 < n <= 128."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        bits = builder.bitcast(arguments[0], number)
        biased = builder.add(bits, number(int(BIAS) - int(ROUNDER_BITS)))
        return builder.bitcast(builder.shl(biased, number(int(MANTISSA_BITS))), ir.FloatType())

    return types.float32(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _no_higher(typing_context: Any, x: Any) -> Any:
    """x, HIGHEST at most; NaN stays. A select: a branch would stop the vectoriser."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments
        highest = ir.Constant(ir.FloatType(), float(HIGHEST))
        return builder.select(builder.fcmp_ordered(">", x, highest), highest, x)

    return types.float32(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _zero_below(typing_context: Any, x: Any, power: Any) -> Any:
    """`power`, 0 where x is below LOWEST; NaN stays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, power = arguments
        lowest, zero = (ir.Constant(ir.FloatType(), value) for value in (float(LOWEST), 0.0))
        return builder.select(builder.fcmp_ordered("<", x, lowest), zero, power)

    return types.float32(types.float32, types.float32), generate


# "contract" alone: reassociation would fold the rounding away
@njit(forceinline=True, error_model="numpy", fastmath={"contract"})  # type: ignore[untyped-decorator]
def exp(x: Any) -> Any:
    """exp(x) = 2**n * exp(r), |r| <= ln(2) / 2, within 2 units in the last place; NaN stays NaN.

    0 for results below 9.2e-39, infinity for those above 2.4e38: 2**n has to be a number of its own.
    """
    x = _no_higher(x)
    rounded = x * LOG2_E + ROUNDER
    n = rounded - ROUNDER
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * C7))))
    p = ONE + (r + r * r * p)
    return _zero_below(x, p * _power_of_2(rounded))
