"""How the parts of a kernel are compiled that are called from several places in it."""

from __future__ import annotations

from typing import Any

from numba import njit

# a function of its own in the machine code: to copy all into every place makes it long, and compiling slow
called: Any = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
