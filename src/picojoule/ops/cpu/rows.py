"""Rows of neurons: the buffers that a kernel works in, and what fills them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from picojoule.ops.cpu.scratch import WIDEST

CACHE_LINE = 64


def buffer_of(size: int) -> Any:
    """A function that gives `size` float32 on the stack, which no pointer argument can overlap; not initialised."""

    @intrinsic  # type: ignore[untyped-decorator]
    def buffer(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(ir.FloatType(), size))
                memory.align = CACHE_LINE
            return builder.bitcast(memory, ir.PointerType(ir.FloatType()))

        return types.CPointer(types.float32)(), generate

    return buffer


row_buffer = buffer_of(WIDEST)


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


@njit(forceinline=True)  # type: ignore[untyped-decorator]
def prefetch_row(source: Any, start: Any, n: Any) -> None:
    """Ask for source[start : start + n]: the processor's own prefetchers stop at the end of a page."""
    for j in range(0, n, CACHE_LINE // 4):
        _prefetch(source, start + j)


@njit(forceinline=True)  # type: ignore[untyped-decorator]
def load_row(used: Any, source: Any, start: Any, n: Any, row: Any) -> None:
    """row[j] = source[start + j]; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            row[j] = source[start + j]


@njit(forceinline=True)  # type: ignore[untyped-decorator]
def store_row(used: Any, row: Any, n: Any, target: Any, start: Any) -> None:
    """target[start + j] = row[j]; nothing if the plan does not use it."""
    if used:
        for j in range(n):
            target[start + j] = row[j]
