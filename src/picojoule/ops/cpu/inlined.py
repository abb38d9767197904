"""How the small functions are compiled that a kernel is put together from."""

from __future__ import annotations

from typing import Any

from numba import njit

from picojoule.ops.cpu.pipeline import OptimisedPiece, Piece

# nobody calls them from Python
_IN_A_KERNEL = {
    "forceinline": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def inlined(function: Any) -> Any:
    """Into the kernel, with the arithmetic as it is written.

    A multiplication and an addition that were fused would round once where the reference rounds twice.
    """
    return njit(**_IN_A_KERNEL, pipeline_class=Piece)(function)


def contracted(function: Any) -> Any:
    """Into the kernel; a multiplication and an addition may be fused, but nothing is reordered."""
    return njit(**_IN_A_KERNEL, pipeline_class=Piece, fastmath={"contract"})(function)


def unrolled(function: Any) -> Any:
    """Into the kernel, its loop written out: inside the kernel LLVM finds it too long for that."""
    return njit(**_IN_A_KERNEL, pipeline_class=OptimisedPiece)(function)
