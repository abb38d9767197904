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
LOWEST, HIGHEST = F(-104.0), F(89.0)  # beyond, the result is 0 or infinity
C2, C3, C4, C5, C6, C7 = (F(1.0 / k) for k in (2, 6, 24, 120, 720, 5040))
ONE, BIAS, MANTISSA_BITS = F(1.0), np.int32(127), np.int32(23)


@intrinsic  # type: ignore[untyped-decorator]
def _bits(typing_context: Any, x: Any) -> Any:
    """The bits of a float32 as an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _float_of(typing_context: Any, x: Any) -> Any:
    """The float32 that has the bits of an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_2(typing_context: Any, n: Any) -> Any:
    """2.0 ** n for a whole number -127 < n < 128, made from its bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(arguments[0], ir.Constant(ir.IntType(32), int(BIAS)))
        shifted = builder.shl(biased, ir.Constant(ir.IntType(32), int(MANTISSA_BITS)))
        return builder.bitcast(shifted, ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _half(typing_context: Any, n: Any) -> Any:
    """n // 2, in 32 bits (numba would widen to 64)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ashr(arguments[0], ir.Constant(ir.IntType(32), 1))

    return types.int32(types.int32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _minus(typing_context: Any, a: Any, b: Any) -> Any:
    """a - b, in 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sub(*arguments)

    return types.int32(types.int32, types.int32), generate


# "contract" alone: reassociation would fold the rounding away
@njit(forceinline=True, error_model="numpy", fastmath={"contract"})  # type: ignore[untyped-decorator]
def exp(x: Any) -> Any:
    """exp(x) = 2**n * exp(r), |r| <= ln(2) / 2, within 2 units in the last place; NaN stays NaN.

    2**n is multiplied in two halves, which covers denormal results and the overflow to infinity.
    """
    x = LOWEST if x < LOWEST else (HIGHEST if x > HIGHEST else x)
    rounded = x * LOG2_E + ROUNDER
    n = rounded - ROUNDER
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * C7))))
    p = ONE + (r + r * r * p)
    whole = _minus(_bits(rounded), ROUNDER_BITS)
    first = _half(whole)
    return p * _power_of_2(first) * _power_of_2(_minus(whole, first))
