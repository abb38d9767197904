"""From a kernel's source to a C function, once: compiled by numba, kept on disk, loaded by llvmlite alone."""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from picojoule.events.slow_start import say_that_it_compiles
from picojoule.ops.cpu.cache import keep, kept, say_faults
from picojoule.ops.cpu.forks import making
from picojoule.ops.cpu.machine_code import load, object_file
from picojoule.ops.plan import Plan

Kernel = Callable[..., int]
_known: dict[tuple[str, Plan | None], Kernel] = {}


def compiled(name: str, plan: Plan | None = None) -> Kernel:
    """A kernel `(first, last, table)`, a C function that releases the interpreter's lock while it runs.

    Args:
        name: of the function in `sources` that makes it.
        plan: the neuron's, for kernels that have one.

    Raises:
        ImportError: numba is not installed, and the kernel is not on disk.
    """
    kernel = _known.get((name, plan))
    if kernel is None:
        with making:
            kernel = _known.get((name, plan))  # another thread may have made it meanwhile
            if kernel is None:
                kernel = _known[name, plan] = _compiled(name, plan)
        say_faults()
    return kernel


def _compiled(name: str, plan: Plan | None) -> Kernel:
    file = f"{_key(name, plan)}.o"
    content = kept(file)
    if content is None:
        say_that_it_compiles(name)
        content = _compile(name, plan)
        keep(file, content)
    symbol, _, code = content.partition(b"\n")
    pointer = ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int32, pointer, pointer, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
    )
    return kind(load(code, symbol.decode()))


def _compile(name: str, plan: Plan | None) -> bytes:
    from numba import njit, types

    from picojoule.events.kernels.sources import SOURCES
    from picojoule.ops.cpu.pipeline import OptimisedPiece

    source = SOURCES[name]() if plan is None else SOURCES[name](plan)
    kernel = njit(
        types.void(types.int64, types.int64, types.int64),
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        pipeline_class=OptimisedPiece,
    )(source)
    (overload,) = kernel.overloads.values()
    symbol: str = overload.fndesc.llvm_func_name
    return symbol.encode() + b"\n" + object_file(overload.library.get_llvm_str())


def _key(name: str, plan: Plan | None) -> str:
    import llvmlite.binding as llvm

    digest = hashlib.sha256()
    for part in (name, str(plan), llvm.get_host_cpu_name(), str(llvm.llvm_version_info)):
        digest.update(part.encode() + b"\0")
    digest.update(str(dict(llvm.get_host_cpu_features())).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return "events-" + digest.hexdigest()[:32]


@functools.cache
def _sources() -> tuple[Path, ...]:
    here = Path(__file__).parent
    neurons = here.parents[1] / "ops"
    return (
        neurons / "plan.py",
        *sorted((neurons / "cpu").glob("*.py")),
        *sorted(here.glob("*.py")),
        *sorted((here.parent / "orders" / "kernels").glob("*.py")),
    )
