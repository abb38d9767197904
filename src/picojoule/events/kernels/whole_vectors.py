"""Vectors of whole numbers that stop at the ends of their range: weights of 8 bits onto potentials of 16 or 32."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.events.kernels.vectors import load, repeated


def adder_of_vectors(bits: int, width: int, lanes: int) -> Any:
    """A function (target, a, weights, b, value): potentials of so many bits, kept in `width`, get `value` times their weights.

    target[a : a + lanes] = clamp(target[a : a + lanes] + value * weights[b : b + lanes], -2^(bits-1), 2^(bits-1) - 1)

    A product fits `width`: a weight has 8 bits, and `value` is 255 at most. In 32 bits the sum fits, too; in 16 it is LLVM's that saturates.
    """
    number = ir.IntType(width)
    vector, narrow = ir.VectorType(number, lanes), ir.VectorType(ir.IntType(8), lanes)
    whole: Any = types.int16 if width == 16 else types.int32

    @intrinsic  # type: ignore[untyped-decorator]
    def add(_typing: Any, target: Any, a: Any, weights: Any, b: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            into, at, source, start, factor = arguments
            sums, place = load(builder, into, at, vector)
            added, _ = load(builder, source, start, narrow)
            product = builder.mul(repeated(builder, factor, vector), builder.sext(added, vector))
            if width == 16:
                total = builder.call(_saturating(builder.module, vector), [sums, product])
            else:
                total = builder.add(sums, product)
            builder.store(_clamped(builder, total, vector, bits), place, align=width // 8)
            return context.get_dummy_value()

        return types.void(target, types.int64, weights, types.int64, whole), generate

    return add


def _saturating(module: Any, vector: Any) -> Any:
    name = f"llvm.sadd.sat.v{vector.count}i{vector.element.width}"
    known = module.globals.get(name)
    return known or ir.Function(module, ir.FunctionType(vector, [vector, vector]), name)


def _clamped(builder: Any, values: Any, vector: Any, bits: int) -> Any:
    """Within the range of so many bits; nothing to do where that is the vector's own."""
    if bits == vector.element.width:
        return values
    ends = ("<", 2 ** (bits - 1) - 1), (">", -(2 ** (bits - 1)))
    for inside, end in ends:
        limit = ir.Constant(vector, [end] * vector.count)
        is_inside = builder.icmp_signed(inside, values, limit)
        values = builder.select(is_inside, values, limit)
    return values
