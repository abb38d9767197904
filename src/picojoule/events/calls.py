"""What a call of a network needs around it: its turn, and PyTorch as the kernels need it.

A network has states, and memory that its kernels work in: calls from several threads wait for one another. A forked
process has none of PyTorch's threads, and PyTorch would wait for them for ever; there a call computes with one thread,
as the workers of a DataLoader do.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import torch

from picojoule.ops.cpu.forks import was_forked

P = ParamSpec("P")
R = TypeVar("R")
_alone = threading.RLock()  # of a forked process: held while the number of threads is another


def _after_fork() -> None:
    global _alone
    _alone = threading.RLock()  # the thread that held the other is gone


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def computing() -> AbstractContextManager[Any]:
    """Whatever is set outside: float32 on the CPU, tensors that any mode may use, and threads that are there."""
    is_plain = not (
        torch.is_inference_mode_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch.get_default_device().type != "cpu"
        or was_forked()
    )
    return torch.no_grad() if is_plain else _computing()


@contextmanager
def _computing() -> Iterator[None]:
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast("cpu", enabled=False),
        torch.device("cpu"),
        _on_living_threads(),
    ):
        yield


@contextmanager
def _on_living_threads() -> Iterator[None]:
    """PyTorch's operators inside do not wait for threads that stayed behind in a fork."""
    if not was_forked():
        yield
        return
    with _alone:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Turn:
    """What a thread holds while it uses an object; other threads wait. A copy of it is a new one.

    Args:
        owner: what the object is called in messages.
    """

    def __init__(self, owner: str) -> None:
        self._owner, self._lock, self._process = owner, threading.RLock(), os.getpid()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            if self._process != os.getpid():
                raise RuntimeError(
                    f"{self._owner}: this process was forked while another thread ran the network, so its states are torn, "
                    "and that thread is not here to end its call. Compile the model anew, or fork between calls."
                )
            self._lock.acquire()
        self._process = os.getpid()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return Turn, (self._owner,)


class TakesTurns(Protocol):
    """An object that one thread at a time may use."""

    _turn: Turn


S = TypeVar("S", bound=TakesTurns)


def in_turn(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method that waits for the calls of other threads on the same object, and computes whatever is set outside."""

    @functools.wraps(method)
    def alone(own: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with computing(), own._turn:
            return method(own, *args, **kwargs)

    return alone
