"""From a plan to machine code, once: compiled by numba, kept on disk, loaded by llvmlite alone."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from picojoule.ops.cpu.machine_code import load, object_file
from picojoule.ops.plan import Plan

Which = Literal["forward", "backward"]
INTEGERS = 5
POINTERS: dict[Which, int] = {"forward": 11, "backward": 19}
_lock = threading.Lock()


def compiled(plan: Plan, which: Which) -> Callable[..., int]:
    """The kernel, a C function that releases the interpreter's lock while it runs.

    Raises:
        ImportError: numba is not installed, and the kernel is not on disk.
    """
    with _lock:
        return _compiled(plan, which)


@functools.cache
def _compiled(plan: Plan, which: Which) -> Callable[..., int]:
    path = cache_folder() / f"{_key(plan, which)}.o"
    content = _kept(path)
    if content is None:
        content = _compile(plan, which)
        _keep(path, content)
    name, _, code = content.partition(b"\n")
    return _callable(load(code, name.decode()), which)


def cache_folder() -> Path:
    """Where compiled kernels are kept: PICOJOULE_CACHE, or the user's cache folder."""
    chosen = os.environ.get("PICOJOULE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "picojoule"


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
    from picojoule.ops.cpu.pipeline import DistinctArguments

    sweep = forward_sweep(plan) if which == "forward" else backward_sweep(plan)
    pointer = types.CPointer(types.float32)
    kernel = njit(
        types.void(*[types.int64] * INTEGERS, *[pointer] * POINTERS[which]),
        error_model="numpy",
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        pipeline_class=DistinctArguments,
    )(sweep)
    (overload,) = kernel.overloads.values()
    name: str = overload.fndesc.llvm_func_name
    return name.encode() + b"\n" + object_file(next(iter(kernel.inspect_llvm().values())))


def _callable(address: int, which: Which) -> Callable[..., int]:
    integer, pointer = ctypes.c_int64, ctypes.c_void_p
    arguments = [*[integer] * INTEGERS, *[pointer] * POINTERS[which]]
    # numba's convention: where the result and an exception would go come first
    return ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, *arguments)(address)


def _kept(path: Path) -> bytes | None:
    """What is in the cache, if it is whole: damaged machine code would take the process down."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content if digest == _digest(content) else None


def _keep(path: Path, content: bytes) -> None:
    """Write to the cache if that is possible: other processes see the whole file or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_digest(content) + b"\n" + content)
        Path(aside).replace(path)
    except OSError:
        return


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
