"""A forked process runs kernels, whatever its parent and the parent's threads were at. A hang is a timeout."""

import subprocess
import sys

START = """
import multiprocessing, os, sys, threading, time
import torch

def use_openmp():
    torch.set_num_threads(2)
    (torch.rand(500000) * 2).sum()

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def call():
    from picojoule.ops import lif
    out = lif(torch.full((4, 4, 8), 0.6), alpha_mem=1.0, impl="cpu")
    assert out.spikes[0, :, 0].tolist() == [0, 1, 0, 1]
"""


def runs(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_first_call_may_be_in_the_child() -> None:
    runs("import picojoule.ops; use_openmp(); forked(call)")


def test_calls_go_on_in_the_child_and_in_a_child_of_it() -> None:
    runs("call(); use_openmp(); forked(lambda: (call(), forked(call))); call()")


def test_the_first_import_may_be_in_a_child_of_multiprocessing() -> None:
    runs(
        "use_openmp()\n"
        "def work():\n"
        "    call()\n"
        "    from picojoule.ops.cpu.team import why_no_team\n"
        "    assert 'was forked' in why_no_team()\n"
        "child = multiprocessing.get_context('fork').Process(target=work)\n"
        "child.start(); child.join(); assert child.exitcode == 0"
    )


def test_a_fork_waits_for_a_thread_that_compiles() -> None:
    runs("""
from picojoule.ops.cpu import cache, compiled, fault
call()  # the kernel is on disk now
made, compiling = [], threading.Event()
def slowly(plan, which):
    compiling.set()
    time.sleep(0.3)
    made.append(which)
    return cache.kept(f"{compiled._key(plan, which)}.o")
compiled._compile, compiled.kept = slowly, lambda name: None
compiled.keep = lambda name, content: None
compiled._compiled.cache_clear(); fault.kernel_fault.cache_clear()
other = threading.Thread(target=call)
other.start(); compiling.wait()
forked(call)
assert made == ["forward"], made
other.join()
""")


def test_a_fork_waits_for_a_thread_that_compiles_numba_functions_of_its_own() -> None:
    runs("""
import picojoule.ops
from numba.core.compiler_lock import global_compiler_lock
holding = threading.Event()
def hold():
    with global_compiler_lock:
        holding.set()
        time.sleep(0.3)
def take():
    with global_compiler_lock:
        pass
other = threading.Thread(target=hold)
other.start(); holding.wait()
forked(take)
other.join(); take()
""")
