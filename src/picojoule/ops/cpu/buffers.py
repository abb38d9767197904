"""Scratch memory of a kernel: a row of neurons on the stack, which no pointer argument can overlap."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from picojoule.ops.cpu.plan import WIDEST

CACHE_LINE = 64


@intrinsic  # type: ignore[untyped-decorator]
def row_buffer(typing_context: Any) -> Any:
    """A buffer of WIDEST float32, not initialised."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        with builder.goto_entry_block():
            memory = builder.alloca(ir.ArrayType(ir.FloatType(), WIDEST))
            memory.align = CACHE_LINE
        return builder.bitcast(memory, ir.PointerType(ir.FloatType()))

    return types.CPointer(types.float32)(), generate
