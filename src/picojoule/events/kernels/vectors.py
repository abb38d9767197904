"""Vectors of eight reals, said outright: a compiler that is to find them in loops of unknown length finds few."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

VECTOR = 8
BLOCK = 4 * VECTOR  # what is looked at together
_VECTOR = ir.VectorType(ir.FloatType(), VECTOR)
_ALIGNMENT = 4  # of one real: vectors begin anywhere


def _load(builder: Any, array: Any, index: Any) -> tuple[Any, Any]:
    """A vector, and the pointer to it."""
    pointer = builder.bitcast(builder.gep(array, [index]), ir.PointerType(_VECTOR))
    return builder.load(pointer, align=_ALIGNMENT), pointer


def _repeated(builder: Any, value: Any) -> Any:
    """A vector of one value."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
    return builder.shuffle_vector(first, undefined, lanes)


@intrinsic  # type: ignore[untyped-decorator]
def add_vector(_typing: Any, target: Any, a: Any, weights: Any, b: Any, value: Any) -> Any:
    """target[a : a + 8] += value * weights[b : b + 8], rounded once where the processor can."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        into, at, source, start, factor = arguments
        sums, place = _load(builder, into, at)
        added, _ = _load(builder, source, start)
        product = builder.fmul(_repeated(builder, factor), added, flags=("contract",))
        builder.store(
            builder.fadd(product, sums, flags=("contract",)), place, align=_ALIGNMENT
        )
        return context.get_dummy_value()

    return types.void(target, types.int64, weights, types.int64, types.float32), generate


def _found(comparison: str, vectors: int) -> Any:
    """A function (values, start, limit): bits of the lanes that compare so with the limit in one of the vectors."""

    @intrinsic  # type: ignore[untyped-decorator]
    def found(_typing: Any, values: Any, start: Any, limit: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            array, index, number = arguments
            limits, lanes = _repeated(builder, number), None
            for k in range(vectors):
                place = builder.add(index, index.type(k * VECTOR))
                value, _ = _load(builder, array, place)
                bits = builder.fcmp_unordered(comparison, value, limits)
                lanes = bits if lanes is None else builder.or_(lanes, bits)
            return builder.zext(builder.bitcast(lanes, ir.IntType(VECTOR)), ir.IntType(64))

        return types.int64(values, types.int64, types.float32), generate

    return found


# NaN counts as found: who looks at it closely does not let it pass
reach = _found(">=", 1)
any_reaches = _found(">=", BLOCK // VECTOR)
differ = _found("!=", 1)
any_differs = _found("!=", BLOCK // VECTOR)


@intrinsic  # type: ignore[untyped-decorator]
def lowest_lane(_typing: Any, bits: Any) -> Any:
    """The first lane that is found; there is one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate
