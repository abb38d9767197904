"""From a plan to machine code, once: compiled by numba, kept on disk, loaded by llvmlite alone."""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from picojoule.ops.cpu.cache import keep, kept
from picojoule.ops.cpu.forks import making
from picojoule.ops.cpu.machine_code import load, object_file
from picojoule.ops.plan import Plan

Which = Literal["forward", "backward"]
INTEGERS = 4
# the pointers that each takes: to Sequences, or to Reals
POINTERS: dict[Which, str] = {"forward": "SRRRRRSRRRRR", "backward": "SRRRRRSRRRRRSRRRR"}


def compiled(plan: Plan, which: Which) -> Callable[..., int]:
    """The kernel, a C function that releases the interpreter's lock while it runs.

    Raises:
        ImportError: numba is not installed, and the kernel is not on disk.
    """
    with making:
        return _compiled(plan, which)


@functools.cache
def _compiled(plan: Plan, which: Which) -> Callable[..., int]:
    name = f"{_key(plan, which)}.o"
    content = kept(name)
    if content is None:
        content = _compile(plan, which)
        keep(name, content)
    symbol, _, code = content.partition(b"\n")
    return _callable(load(code, symbol.decode()), which)


def _key(plan: Plan, which: Which) -> str:
    import llvmlite.binding as llvm

    here = Path(__file__).parent
    sources = [here.parent / "plan.py", *sorted(here.glob("*.py"))]
    digest = hashlib.sha256()
    for part in (str(plan), which, llvm.get_host_cpu_name(), str(llvm.llvm_version_info)):
        digest.update(part.encode() + b"\0")
    digest.update(str(dict(llvm.get_host_cpu_features())).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


def _compile(plan: Plan, which: Which) -> bytes:
    """Name of the kernel, a line break, and the object file."""
    from numba import njit, types

    from picojoule.ops.cpu.backward import backward_sweep
    from picojoule.ops.cpu.forward import forward_sweep
    from picojoule.ops.cpu.numbers import real_of, sequence_of
    from picojoule.ops.cpu.pipeline import DistinctArguments

    sweep = forward_sweep(plan) if which == "forward" else backward_sweep(plan)
    kinds = {"S": sequence_of(plan).element, "R": real_of(plan)}
    pointers = [types.CPointer(kinds[kind]) for kind in POINTERS[which]]
    kernel = njit(
        types.void(*[types.int64] * INTEGERS, *pointers),
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments,
    )(sweep)
    (overload,) = kernel.overloads.values()
    name: str = overload.fndesc.llvm_func_name
    return name.encode() + b"\n" + object_file(overload.library.get_llvm_str())


def _callable(address: int, which: Which) -> Callable[..., int]:
    integer, pointer = ctypes.c_int64, ctypes.c_void_p
    arguments = [*[integer] * INTEGERS, *[pointer] * len(POINTERS[which])]
    # numba's convention: where the result and an exception would go come first
    return ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, *arguments)(address)
