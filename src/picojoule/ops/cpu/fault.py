"""Whether the kernels of a plan can be had on this machine."""

from __future__ import annotations

import functools
from importlib.util import find_spec

from picojoule.ops.plan import Plan


@functools.cache
def kernel_fault(plan: str) -> str | None:
    """Why the kernels of a plan cannot be made here; None if they can."""
    if find_spec("numba") is None or find_spec("llvmlite") is None:
        return "numba is not installed"
    from picojoule.ops.cpu.compiled import compiled

    try:
        compiled(Plan.of(plan), "forward")
        compiled(Plan.of(plan), "backward")
    except Exception as error:  # whatever is broken in numba, the reference runs
        return f"the kernel could not be compiled: {type(error).__name__}: {error}"
    return None
