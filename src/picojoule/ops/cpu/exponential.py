"""exp() in float32 and float64, from operations that the compiler turns into vector instructions."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.ops.cpu.inlined import contracted


@dataclass(frozen=True)
class Format:
    """A format of numbers, and what exp() takes in it.

    Args:
        real: numpy's name of it.
        number: numba's.
        llvm: LLVM's.
        width: bits of it.
        mantissa: bits of those behind the point.
        ln2_high: ln 2 in few bits, so that its product with a small whole number is exact.
        lowest: where the result becomes 0.
        highest: where it becomes infinity.
    """

    real: Any
    number: Any
    llvm: ir.Type
    width: int
    mantissa: int
    ln2_high: float
    lowest: float
    highest: float

    @property
    def rounder(self) -> float:
        """Adding and subtracting it rounds to whole numbers; no conversion to integer, which NaN would break."""
        return 1.5 * 2.0**self.mantissa

    @property
    def ln2_low(self) -> float:
        """The rest of ln 2. float64's is its own: the difference of two float64 would have too few bits."""
        return 1.90821492927058770002e-10 if self.width == 64 else math.log(2) - self.ln2_high


FLOAT32 = Format(
    np.float32, types.float32, ir.FloatType(), 32, 23, 0.693359375, lowest=-87.6, highest=88.8
)
FLOAT64 = Format(
    np.float64, types.float64, ir.DoubleType(), 64, 52, 6.93147180369123816490e-01,
    lowest=-708.3, highest=709.8,
)  # fmt: skip


def _power_of_2(form: Format) -> Any:
    """2.0 ** n, made from its bits, of n + rounder, whose last bits are n."""
    bias = 2 ** (form.width - form.mantissa - 2) - 1
    shift, bits_of_rounder = form.mantissa, int(_bits(form, form.rounder))

    @intrinsic  # type: ignore[untyped-decorator]
    def power_of_2(typing_context: Any, rounded: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = ir.IntType(form.width)
            bits = builder.bitcast(arguments[0], number)
            biased = builder.add(bits, number(bias - bits_of_rounder))
            return builder.bitcast(builder.shl(biased, number(shift)), form.llvm)

        return form.number(form.number), generate

    return power_of_2


def _bits(form: Format, value: float) -> Any:
    return form.real(value).view(np.int64 if form.width == 64 else np.int32)


def _no_higher(form: Format) -> Any:
    """x, `highest` at most; NaN stays. A select: a branch would stop the vectoriser."""

    @intrinsic  # type: ignore[untyped-decorator]
    def no_higher(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (x,) = arguments
            highest = ir.Constant(form.llvm, float(form.real(form.highest)))
            return builder.select(builder.fcmp_ordered(">", x, highest), highest, x)

        return form.number(form.number), generate

    return no_higher


def _zero_below(form: Format) -> Any:
    """`power`, 0 where x is below `lowest`; NaN stays."""

    @intrinsic  # type: ignore[untyped-decorator]
    def zero_below(typing_context: Any, x: Any, power: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, power = arguments
            lowest = ir.Constant(form.llvm, float(form.real(form.lowest)))
            is_below = builder.fcmp_ordered("<", x, lowest)
            return builder.select(is_below, ir.Constant(form.llvm, 0.0), power)

        return form.number(form.number, form.number), generate

    return zero_below


def _tail(form: Format) -> Any:
    """(exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2, by as many terms as the format has bits for."""
    c = tuple(form.real(1 / math.factorial(k)) for k in range(14))
    c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13 = c[2:]

    @contracted
    def short(r: Any) -> Any:
        return c2 + r * (c3 + r * (c4 + r * (c5 + r * (c6 + r * c7))))

    @contracted
    def long(r: Any) -> Any:
        last = c8 + r * (c9 + r * (c10 + r * (c11 + r * (c12 + r * c13))))
        return c2 + r * (c3 + r * (c4 + r * (c5 + r * (c6 + r * (c7 + r * last)))))

    return long if form.width == 64 else short


@functools.cache
def exponential(form: Format) -> Any:
    """exp(x) = 2**n * exp(r), |r| <= ln(2) / 2, within 2 units in the last place; NaN stays NaN.

    0 where x is below `lowest` and infinity where 2**n is: 2**n has to be a number of its own. In float32, 0 for
    results below 9.2e-39, infinity for those above 2.4e38.
    """
    power_of_2, no_higher, zero_below = _power_of_2(form), _no_higher(form), _zero_below(form)
    tail = _tail(form)
    log2_e, rounder, one = form.real(1 / math.log(2)), form.real(form.rounder), form.real(1)
    ln2_high, ln2_low = form.real(form.ln2_high), form.real(form.ln2_low)

    @contracted
    def exp(x: Any) -> Any:
        x = no_higher(x)
        rounded = x * log2_e + rounder
        n = rounded - rounder
        r = (x - n * ln2_high) - n * ln2_low
        p = one + (r + r * r * tail(r))
        return zero_below(x, p * power_of_2(rounded))

    return exp
