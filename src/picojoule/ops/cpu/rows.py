"""Rows of neurons and pieces of them: the buffers that a kernel works in, and how memory is read and written."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.ops.cpu.inlined import inlined
from picojoule.ops.cpu.scratch import VECTOR

CACHE_LINE = 64  # bytes
# neurons of a row that are computed, asked for and written at a time, in a loop whose length the compiler knows. Two
# lengths, since a loop over SHORT is unrolled: that pays where a step is long, but a short step would be unrolled
# before it is made of vectors, and then never is
SHORT, LONG = 32, 64
AHEAD = 2  # steps between asking for memory and its use
_NUMBERS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.uint16: ir.IntType(16),
}


@functools.cache
def buffer_of(size: int, number: Any) -> Any:
    """A function that gives `size` numbers on the stack, which no pointer argument can overlap; not initialised."""
    kind = _NUMBERS[number]

    @intrinsic  # type: ignore[untyped-decorator]
    def buffer(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(kind, size))
                memory.align = CACHE_LINE
            return builder.bitcast(memory, ir.PointerType(kind))

        return types.CPointer(number)(), generate

    return buffer


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing_context: Any, source: Any, index: Any) -> Any:
    """Ask for a cache line ahead of its use, into the second-level cache: the first is full of buffers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line = builder.bitcast(
            builder.gep(arguments[0], [arguments[1]]), ir.PointerType(ir.IntType(8))
        )
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [line.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [line.type], kind)
        builder.call(function, [line, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.void(source, types.int64), generate


@functools.cache
def piece_prefetch(size: int, element: Any) -> Any:
    """A function that asks for `size` elements from `start` on: the processor's own prefetchers stop at the end of a page.

    It may lie outside of the sequence: nothing then is read.
    """
    a_line = 8 * CACHE_LINE // element.bitwidth

    @inlined
    def prefetch_piece(source: Any, start: Any) -> None:
        for j in range(0, size, a_line):
            _prefetch(source, start + j)

    return prefetch_piece


@functools.cache
def piece_stream(size: int, element: Any) -> Any:
    """A function that writes a piece past the caches: target[start : start + size] = piece, both at a vector's place.

    Memory that is written by way of the caches is read before, and pushes out of them what is there.
    """
    a_vector = 8 * VECTOR // element.bitwidth

    @intrinsic  # type: ignore[untyped-decorator]
    def stream_piece(typing_context: Any, piece: Any, target: Any, start: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            piece, target, start = arguments
            kind = ir.PointerType(ir.VectorType(ir.IntType(32), VECTOR // 4))
            past_the_caches = builder.module.add_metadata([ir.IntType(32)(1)])
            target = builder.gep(target, [start])
            for j in range(0, size, a_vector):
                found, to = (
                    builder.bitcast(builder.gep(pointer, [start.type(j)]), kind)
                    for pointer in (piece, target)
                )
                store = builder.store(builder.load(found, align=VECTOR), to, align=VECTOR)
                store.set_metadata("nontemporal", past_the_caches)
            return context.get_dummy_value()

        return types.void(piece, target, types.int64), generate

    return stream_piece


@intrinsic  # type: ignore[untyped-decorator]
def finish_streaming(typing_context: Any) -> Any:
    """Wait until other threads can read what was streamed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@inlined
def load_row(used: Any, source: Any, start: Any, n: Any, row: Any) -> None:
    """row[j] = source[start + j]; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            row[j] = source[start + j]


@inlined
def clear_row(used: Any, n: Any, row: Any) -> None:
    """row[j] = 0; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            row[j] = 0


@inlined
def store_row(used: Any, row: Any, n: Any, target: Any, start: Any) -> None:
    """target[start + j] = row[j]; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            target[start + j] = row[j]
