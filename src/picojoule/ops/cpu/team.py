"""PyTorch's own team of threads (OpenMP's), to run kernels on.

OpenMP's threads look out for more work for some milliseconds after each operator of PyTorch, and take the
cores while they do: threads of anybody else's compete with them.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from picojoule.ops.cpu.forks import making, was_forked
from picojoule.ops.cpu.machine_code import load, object_file

_NUMBERS = "omp_get_thread_num", "omp_get_num_threads"


def why_no_team() -> str | None:
    """Why this process cannot use PyTorch's threads; None if it can."""
    if was_forked():
        return "this process was forked, and OpenMP's threads stay behind in a fork"
    if _openmp() is None:
        return "this PyTorch does not compute with OpenMP, or hides it"
    return None


def run_on_team(kernel: Any, calls: Sequence[Sequence[int]]) -> None:
    """Call a kernel once with each list of arguments, side by side, and wait for all.

    The arguments, integers and addresses, are all 64 bits wide.
    """
    openmp = _openmp()
    assert openmp is not None
    table = [_address(kernel), len(calls), *(argument for call in calls for argument in call)]
    data = (ctypes.c_int64 * len(table))(*table)
    with making:
        walker = _walker(len(calls[0]))
    openmp(walker, ctypes.addressof(data), len(calls), 0)


@functools.cache
def _openmp() -> Callable[[int, int, int, int], None] | None:
    """`GOMP_parallel(function, data, threads, flags)`, where PyTorch has loaded it for all to see."""
    if sys.platform != "linux":
        return None
    everything = ctypes.CDLL(None)
    if not all(hasattr(everything, name) for name in ("GOMP_parallel", *_NUMBERS)):
        return None
    parallel = everything.GOMP_parallel
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return parallel


@functools.cache
def _walker(num_arguments: int) -> int:
    """Address of a function that each thread of a team runs: it makes its share of the calls in a table.

    The table is: the kernel's address, the number of calls, then the arguments of one call after the other.
    Thread k of n makes the calls k, k + n, k + 2n, ...
    """
    from llvmlite import ir

    wide, narrow = ir.IntType(64), ir.IntType(32)
    module = ir.Module()
    walker = ir.Function(module, ir.FunctionType(ir.VoidType(), [wide.as_pointer()]), "walker")
    at_start = ir.IRBuilder(walker.append_basic_block())
    more, body, end = (walker.append_basic_block(name) for name in ("more", "body", "end"))

    def openmp(name: str) -> ir.Value:
        place = wide(_address(ctypes.CDLL(None)[name]))
        kind = ir.FunctionType(narrow, []).as_pointer()
        number = at_start.call(at_start.inttoptr(place, kind), [])
        return at_start.zext(number, wide)

    def entry(builder: ir.IRBuilder, index: ir.Value) -> ir.Value:
        return builder.load(builder.gep(walker.args[0], [index]))

    own, threads = map(openmp, _NUMBERS)
    of_kernel = ir.FunctionType(narrow, [wide] * num_arguments).as_pointer()
    kernel = at_start.inttoptr(entry(at_start, wide(0)), of_kernel)
    count = entry(at_start, wide(1))
    at_start.branch(more)

    test = ir.IRBuilder(more)
    call = test.phi(wide)
    call.add_incoming(own, at_start.block)
    test.cbranch(test.icmp_unsigned("<", call, count), body, end)

    make = ir.IRBuilder(body)
    first = make.add(make.mul(call, wide(num_arguments)), wide(2))
    make.call(kernel, [entry(make, make.add(first, wide(k))) for k in range(num_arguments)])
    call.add_incoming(make.add(call, threads), body)
    make.branch(more)
    ir.IRBuilder(end).ret_void()
    return load(object_file(str(module)), "walker")


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address
