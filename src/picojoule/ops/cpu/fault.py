"""Whether the kernels of a plan can be had on this machine."""

from __future__ import annotations

import functools
from importlib.util import find_spec

from picojoule.ops.cpu.forks import making
from picojoule.ops.plan import Plan, plan_from


@functools.cache
def kernel_fault(plan: str) -> str | None:
    """Why the kernels of a plan cannot be made here; None if they can.

    The pass forward answers for both: the pass backward is made of the same pieces, and of one plan or another,
    when a gradient is asked for.
    """
    if find_spec("numba") is None or find_spec("llvmlite") is None:
        return "numba is not installed"
    with making:
        fault = _tried(plan_from(plan))
    from picojoule.ops.cpu.cache import say_faults

    say_faults()
    return fault


def _tried(plan: Plan) -> str | None:
    from picojoule.ops.cpu.compiled import compiled

    try:
        compiled(plan, "forward")
        # here, where a fork waits for it; a call imports it otherwise
        from picojoule.ops.cpu import direct, recurrent  # noqa: F401
    except Exception as error:  # whatever is broken in numba, the reference runs
        return f"the kernel could not be compiled: {type(error).__name__}: {error}"
    return None
