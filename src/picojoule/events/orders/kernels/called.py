"""How the parts of a kernel are compiled that are called from several places in it."""

from __future__ import annotations

from typing import Any

from numba import njit


def called(function: Any) -> Any:
    """A function of its own in the machine code: to copy all into every place makes it long, and compiling slow."""
    return njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
