"""Vectors of eight reals, said outright: a compiler that is to find them in loops of unknown length finds few."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.events.kernels.tables import VECTOR

BLOCK = 4 * VECTOR  # what is looked at together
_VECTOR = ir.VectorType(ir.FloatType(), VECTOR)
_LANES = ir.VectorType(ir.IntType(32), VECTOR)
_ALIGNMENT = 4  # of one real


def load(builder: Any, array: Any, index: Any, vector: Any = _VECTOR) -> tuple[Any, Any]:
    """A vector, and the pointer to it."""
    pointer = builder.bitcast(builder.gep(array, [index]), ir.PointerType(vector))
    return builder.load(pointer, align=_bytes_of(vector.element)), pointer


def _bytes_of(number: Any) -> int:
    """Vectors begin anywhere: they are aligned as one number is."""
    return number.width // 8 if isinstance(number, ir.IntType) else _ALIGNMENT


def repeated(builder: Any, value: Any, vector: Any = _VECTOR) -> Any:
    """A vector of one value."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, lanes)


@intrinsic  # type: ignore[untyped-decorator]
def add_vector(_typing: Any, target: Any, a: Any, weights: Any, b: Any, value: Any) -> Any:
    """target[a : a + 8] += value * weights[b : b + 8], rounded once where the processor can."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        into, at, source, start, factor = arguments
        sums, place = load(builder, into, at)
        added, _ = load(builder, source, start)
        product = builder.fmul(repeated(builder, factor), added, flags=("contract",))
        builder.store(builder.fadd(product, sums, flags=("contract",)), place, align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.void(target, types.int64, weights, types.int64, types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def add_sums(_typing: Any, target: Any, a: Any, sums: Any, starts: Any) -> Any:
    """target[a : a + 8] += the sum over a tuple of starts of sums[start : start + 8]."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        into, at, table, begins = arguments
        total, place = load(builder, into, at)
        for k in range(len(starts)):
            vector, _ = load(builder, table, builder.extract_value(begins, k))
            total = builder.fadd(total, vector)
        builder.store(total, place, align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.void(target, types.int64, sums, starts), generate


@intrinsic  # type: ignore[untyped-decorator]
def add_windows(_typing: Any, sums: Any, at: Any, values: Any, upper: Any, lower: Any) -> Any:
    """sums[at : at + 8] = eight windows of 2 x 2 side by side, row by row: of `values`, from `upper` and `lower` on."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        out, place, array, *rows = arguments
        total = None
        for row in rows:
            halves = [load(builder, array, builder.add(row, row.type(k)))[0] for k in (0, VECTOR)]
            for side in (0, 1):
                lanes = ir.Constant(_LANES, [2 * k + side for k in range(VECTOR)])
                part = builder.shuffle_vector(*halves, lanes)
                total = part if total is None else builder.fadd(total, part)
        _, pointer = load(builder, out, place)
        builder.store(total, pointer, align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.void(sums, types.int64, values, types.int64, types.int64), generate


def found(comparison: str, lanes: int, whole_bits: int = 0) -> Any:
    """A function (values, start, limit): which of so many values compare so with the limit, as bits.

    Args:
        comparison: as C writes it.
        lanes: how many values.
        whole_bits: width of values that are whole numbers; 0 for reals.
    """
    number = ir.IntType(whole_bits) if whole_bits else ir.FloatType()
    vector = ir.VectorType(number, lanes if whole_bits else VECTOR)
    kind: Any = {0: types.float32, 16: types.int16, 32: types.int32}[whole_bits]

    @intrinsic  # type: ignore[untyped-decorator]
    def compare(_typing: Any, values: Any, start: Any, limit: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            array, index, bound = arguments
            found_lanes = None
            limits = repeated(builder, bound, vector)
            for k in range(0, lanes, vector.count):
                value, _ = load(builder, array, builder.add(index, index.type(k)), vector)
                differ = builder.icmp_signed if whole_bits else builder.fcmp_unordered
                bits = builder.bitcast(differ(comparison, value, limits), ir.IntType(vector.count))
                wide = builder.shl(builder.zext(bits, ir.IntType(64)), ir.IntType(64)(k))
                found_lanes = wide if found_lanes is None else builder.or_(found_lanes, wide)
            return found_lanes

        return types.int64(values, types.int64, kind), generate

    return compare


# NaN counts as found: who looks at it closely does not let it pass
reach = found(">=", VECTOR)
reach_block = found(">=", BLOCK)
any_differs = found("!=", BLOCK)


@intrinsic  # type: ignore[untyped-decorator]
def lowest_lane(_typing: Any, bits: Any) -> Any:
    """The first lane that is found; there is one."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def mark_rows(_typing: Any, touched: Any, row: Any, flags: Any) -> Any:
    """Eight bytes of `touched`, from `row` on, or those of `flags`."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        array, index, ones = arguments
        place = builder.bitcast(builder.gep(array, [index]), ir.PointerType(ir.IntType(64)))
        builder.store(builder.or_(builder.load(place, align=1), ones), place, align=1)
        return context.get_dummy_value()

    return types.void(touched, types.int64, types.int64), generate
