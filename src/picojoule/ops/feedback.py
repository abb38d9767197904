"""Which recurrent connections the kernels run beside: a plain Linear that nobody watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as every_module

from picojoule.ops.checks import CheckedFeedback
from picojoule.ops.exporting import is_exporting
from picojoule.ops.spec import Feedback, NeuronSpec

_kept_in_sight: ContextVar[bool] = ContextVar("kept_in_sight", default=False)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def what_prevents_fused_feedback(
    current: Tensor, connect: Feedback | None, dtype: torch.dtype
) -> str | None:
    """Why a recurrent connection cannot be computed without calling it; None if it can, or there is none.

    Args:
        current: input current, `b t *n`.
        connect: the connection, with the checks of a call.
        dtype: the one that kernels on this input have the product in.
    """
    if connect is None:
        return None
    assert isinstance(connect, CheckedFeedback)
    linear = connect.connect
    # the exact type: a subclass may compute anything, and a parametrization makes one
    if type(linear) is not nn.Linear or "forward" in vars(linear):
        return f"the recurrent connection is {_named(linear)}, the kernels know nn.Linear alone"
    if connect.given != dtype:
        return f"the recurrent Linear does not compute in {_short(dtype)}"
    return _what_is_not_plain(current, linear, dtype) or _who_watches(linear, current.device.type)


def linear_of(neuron: NeuronSpec) -> nn.Linear:
    """The recurrent connection of a neuron; `what_prevents_fused_feedback` has been asked."""
    assert isinstance(neuron.connect, CheckedFeedback)
    assert isinstance(neuron.connect.connect, nn.Linear)
    return neuron.connect.connect


def _what_is_not_plain(current: Tensor, linear: nn.Linear, dtype: torch.dtype) -> str | None:
    neurons = tuple(current.shape[2:])
    if neurons != (linear.in_features,) or neurons != (linear.out_features,):
        return (
            f"the recurrent Linear goes from {linear.in_features} to {linear.out_features}, "
            f"the neurons are {neurons}"
        )
    parameters = [p for p in (linear.weight, linear.bias) if p is not None]
    stand_ins = torch.compiler.is_compiling()
    if not stand_ins and any(type(p) not in (Tensor, nn.Parameter) for p in parameters):
        return "a parameter of the recurrent Linear is not a plain tensor"
    if any(p.dtype != dtype for p in parameters):
        return f"the recurrent Linear does not compute in {_short(dtype)}"
    if any(p.device != current.device for p in parameters):
        return f"the recurrent Linear is on {parameters[0].device}, the input on {current.device}"
    return None


def _who_watches(linear: nn.Linear, device: str) -> str | None:
    if any(getattr(linear, name) for name in HOOKS) or _all_modules_have_hooks():
        return "the recurrent Linear has hooks, which want to be called every step"
    if torch.is_autocast_enabled(device):
        return "autocast has the recurrent Linear compute in another dtype"
    if _is_in_a_mode():
        return "a mode of torch watches every operation"
    if not torch.compiler.is_compiling() and _kept_in_sight.get():
        return "the recurrent Linear was watched when this ran for the first time"
    return None


def is_in_sight() -> bool:
    """Whether somebody watches all modules, or all operations."""
    return _kept_in_sight.get() or _all_modules_have_hooks() or _is_in_a_mode()


@contextmanager
def kept_in_sight(value: bool) -> Iterator[None]:
    """Inside, recurrent connections are called as if somebody watched: for a second run that does what the first did."""
    token = _kept_in_sight.set(value)
    try:
        yield
    finally:
        _kept_in_sight.reset(token)


def _all_modules_have_hooks() -> bool:
    return any(getattr(every_module, "_global" + name) for name in HOOKS)


def _is_in_a_mode() -> bool:
    # torch.compile and torch.export trace in modes of their own, and want the operator whole
    compiling, exporting = torch.compiler.is_compiling(), is_exporting()
    functions = not exporting and torch._C._len_torch_function_stack() > 0
    return functions or (not compiling and torch._C._len_torch_dispatch_stack() > 0)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _named(connect: object) -> str:
    return str(getattr(connect, "__name__", type(connect).__name__))
