"""2**x in float32 and float64, from operations that the compiler turns into vector instructions."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.ops.cpu.inlined import contracted

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class Format:
    """A format of numbers, and what 2**x takes in it.

    Args:
        real: numpy's name of it.
        number: numba's.
        llvm: LLVM's.
        width: bits of it.
        mantissa: bits of those behind the point.
        terms: 2**f = 1 + terms[0] * f + terms[1] * f**2 + ... for |f| <= 1/2, with the least relative error.
    """

    real: Any
    number: Any
    llvm: ir.Type
    width: int
    mantissa: int
    terms: tuple[float, ...]

    @property
    def bias(self) -> int:
        """What is added to an exponent to make its bits."""
        return int(2 ** (self.width - self.mantissa - 2) - 1)

    @property
    def rounder(self) -> float:
        """Adding it rounds to whole numbers n, and leaves the bits of 2**n's exponent in the last places.

        No conversion to integer, which NaN would break.
        """
        return 1.5 * 2.0**self.mantissa + self.bias


FLOAT32 = Format(
    np.float32, types.float32, ir.FloatType(), 32, 23,
    (0.69314720282, 0.24022647918, 0.05550332548, 0.00961843705, 0.00133988422, 0.00015353388),
)  # fmt: skip
FLOAT64 = Format(
    np.float64, types.float64, ir.DoubleType(), 64, 52,
    (
        0.69314718055994532576, 0.24022650695910131111, 0.055504108664820086961, 0.0096181291075941883865,
        0.0013333558146773929276, 0.00015403530457016971701, 1.5252733493593457718e-05, 1.3215435333611512457e-06,
        1.0178199458271411354e-07, 7.0737738398284658187e-09, 4.4347766998545901336e-10,
    ),
)  # fmt: skip


def _power_of_2(form: Format) -> Any:
    """2.0 ** n, made from its bits, of n + rounder, whose last bits are those of its exponent."""

    @intrinsic  # type: ignore[untyped-decorator]
    def power_of_2(typing_context: Any, rounded: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = ir.IntType(form.width)
            bits = builder.bitcast(arguments[0], number)
            return builder.bitcast(builder.shl(bits, number(form.mantissa)), form.llvm)

        return form.number(form.number), generate

    return power_of_2


def _within(form: Format, lowest: float, highest: float) -> Any:
    """x, `lowest` at least and `highest` at most; NaN stays. Selects: a branch would stop the vectoriser."""

    @intrinsic  # type: ignore[untyped-decorator]
    def within(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (x,) = arguments
            for sign, bound in (("<", lowest), (">", highest)):
                limit = ir.Constant(form.llvm, bound)
                x = builder.select(builder.fcmp_ordered(sign, x, limit), limit, x)
            return x

        return form.number(form.number), generate

    return within


def _polynomial(form: Format) -> Any:
    c = tuple(map(form.real, (1.0, *form.terms)))
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 = c + (form.real(0),) * (12 - len(c))

    @contracted
    def short(f: Any) -> Any:
        f2 = f * f
        return (c0 + f * c1) + f2 * ((c2 + f * c3) + f2 * ((c4 + f * c5) + f2 * c6))

    @contracted
    def long(f: Any) -> Any:
        f2 = f * f
        f4 = f2 * f2
        first = (c0 + f * c1) + f2 * (c2 + f * c3)
        middle = (c4 + f * c5) + f2 * (c6 + f * c7)
        last = (c8 + f * c9) + f2 * (c10 + f * c11)
        return first + f4 * (middle + f4 * last)

    return long if form.width == 64 else short


@functools.cache
def power_of_two(form: Format) -> Any:
    """2**x = 2**n * 2**f, |f| <= 1/2, within 2 units in the last place; NaN stays NaN.

    2**n has to be a number of its own: 0 and infinity stand for results below 2**-126.5 and from 2**127.5 on in
    float32, 2**-1022.5 and 2**1023.5 in float64.
    """
    power_of_2, polynomial = _power_of_2(form), _polynomial(form)
    within = _within(form, -form.bias, form.bias + 1)
    rounder = form.real(form.rounder)

    @contracted
    def exp2(x: Any) -> Any:
        x = within(x)
        rounded = x + rounder
        f = x - (rounded - rounder)
        return polynomial(f) * power_of_2(rounded)

    return exp2
