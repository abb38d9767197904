"""Rows of neurons: the buffers that a kernel works in, and what fills them."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.ops.cpu.inlined import inlined, unrolled

CACHE_LINE = 64


@functools.cache
def buffer_of(size: int, real: Any) -> Any:
    """A function that gives `size` reals on the stack, which no pointer argument can overlap; not initialised."""
    number = ir.DoubleType() if real is types.float64 else ir.FloatType()

    @intrinsic  # type: ignore[untyped-decorator]
    def buffer(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(number, size))
                memory.align = CACHE_LINE
            return builder.bitcast(memory, ir.PointerType(number))

        return types.CPointer(real)(), generate

    return buffer


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing_context: Any, source: Any, index: Any) -> Any:
    """Ask for a cache line ahead of its use."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line = builder.bitcast(
            builder.gep(arguments[0], [arguments[1]]), ir.PointerType(ir.IntType(8))
        )
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [line.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [line.type], kind)
        builder.call(function, [line, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(source, types.int64), generate


@functools.cache
def row_prefetch(element: Any) -> Any:
    """A function that asks for source[start : start + n]: the processor's own prefetchers stop at the end of a page."""
    a_line = 8 * CACHE_LINE // element.bitwidth

    @unrolled
    def prefetch_row(source: Any, start: Any, n: Any) -> None:
        for j in range(0, n, a_line):
            _prefetch(source, start + j)

    return prefetch_row


@inlined
def load_row(used: Any, source: Any, start: Any, n: Any, row: Any) -> None:
    """row[j] = source[start + j]; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            row[j] = source[start + j]


@inlined
def store_row(used: Any, row: Any, n: Any, target: Any, start: Any) -> None:
    """target[start + j] = row[j]; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            target[start + j] = row[j]
