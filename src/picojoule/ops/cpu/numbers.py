"""The formats of a kernel's numbers: sequences are in the input's, all else is in `real`, which it computes in.

bfloat16 is the upper half of a float32. It is read and written as such inside the kernel, which computes in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.plan import Plan

WORD, HALF_WORD, FLOAT = ir.IntType(32), ir.IntType(16), ir.FloatType()
QUIET_NAN = 0x7FC0


class Sequence(NamedTuple):
    """How the values of a sequence are read and written.

    Args:
        element: numba's type of one.
        get: (x, place), a value in `real`.
        put: (x, place, value).
        rounded: (value), what `get` finds where it was `put`.
    """

    element: Any
    get: Any
    put: Any
    rounded: Any


def real_of(plan: Plan) -> Any:
    """numba's type of what a kernel computes in."""
    return types.float64 if plan.dtype == "float64" else types.float32


def sequence_of(plan: Plan) -> Sequence:
    """The sequences of a plan."""
    if plan.dtype == "bfloat16":
        return Sequence(types.uint16, _get_bfloat16, _put_bfloat16, _as_bfloat16)
    return Sequence(real_of(plan), _get, _put, _as_it_is)


@inlined
def _get(x: Any, place: Any) -> Any:
    return x[place]


@inlined
def _put(x: Any, place: Any, value: Any) -> None:
    x[place] = value


@inlined
def _as_it_is(value: Any) -> Any:
    return value


@intrinsic  # type: ignore[untyped-decorator]
def _widened(typing_context: Any, half: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.shl(builder.zext(arguments[0], WORD), WORD(16))
        return builder.bitcast(bits, FLOAT)

    return types.float32(types.uint16), generate


@intrinsic  # type: ignore[untyped-decorator]
def _narrowed(typing_context: Any, value: Any) -> Any:
    """The nearest bfloat16, the even one of two; NaN stays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        bits = builder.bitcast(value, WORD)
        is_odd = builder.and_(builder.lshr(bits, WORD(16)), WORD(1))
        rounded = builder.add(builder.add(bits, WORD(0x7FFF)), is_odd)
        is_nan = builder.fcmp_unordered("uno", value, value)
        upper = builder.select(is_nan, WORD(QUIET_NAN), builder.lshr(rounded, WORD(16)))
        return builder.trunc(upper, HALF_WORD)

    return types.uint16(types.float32), generate


@inlined
def _get_bfloat16(x: Any, place: Any) -> Any:
    return _widened(x[place])


@inlined
def _put_bfloat16(x: Any, place: Any, value: Any) -> None:
    x[place] = _narrowed(value)


@inlined
def _as_bfloat16(value: Any) -> Any:
    return _widened(_narrowed(value))
