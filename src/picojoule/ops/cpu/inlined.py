"""How the small functions are compiled that a kernel is put together from."""

from __future__ import annotations

from typing import Any

from numba import njit


def inlined(function: Any) -> Any:
    """Into the kernel, with the arithmetic as it is written; nobody calls it from Python.

    A multiplication and an addition that were fused would round once where the reference rounds twice.
    """
    return njit(
        forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)


def contracted(function: Any) -> Any:
    """Into the kernel; a multiplication and an addition may be fused, but nothing is reordered."""
    return njit(
        forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
        fastmath={"contract"},
    )(function)  # fmt: skip
