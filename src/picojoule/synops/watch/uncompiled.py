"""Compiled code runs uncompiled while it is watched: only then it shows what happens inside."""

from __future__ import annotations

import sys
import warnings
import weakref
from typing import Any

import torch
from torch import nn

from picojoule.layers.plain_call import PlainCall
from picojoule.synops.watch.running import closing

_COMPILED_UNDER_WATCH = (
    "Monitor: the model is being compiled while it is watched. Compile it first, then attach the "
    "Monitor; it runs uncompiled while watched."
)


class _Hold:
    """One Monitor's hold on the compiler's stance, which is of the whole process; the last hold to end restores it."""

    _holders = 0
    _stance: Any = None

    def __init__(self) -> None:
        self._holds = False

    def take(self) -> None:
        # asked where the stance is set: the compiler takes each function on its own
        if torch.compiler.is_compiling():
            raise RuntimeError(_COMPILED_UNDER_WATCH)
        # nothing is compiled before this is imported, which takes a second
        if self._holds or "torch._dynamo" not in sys.modules:
            return
        if _Hold._holders == 0:
            try:
                _Hold._stance = torch.compiler.set_stance("force_eager")
            except RuntimeError as error:
                raise RuntimeError(_COMPILED_UNDER_WATCH) from error
        _Hold._holders += 1
        self._holds = True

    def let_go(self) -> None:
        if not self._holds:
            return
        self._holds = False
        _Hold._holders -= 1
        if _Hold._holders == 0:
            _Hold._stance.__exit__(None, None, None)


class Uncompiled:
    """Holds compiled code off until `remove()`, or until the model is no more; calls of the model end their passes."""

    def __init__(self, model: nn.Module) -> None:
        self._hold = _Hold()
        self.hold()
        weakref.finalize(model, self._hold.let_go).atexit = False
        call = model._compiled_call_impl
        if not isinstance(call, PlainCall):  # of another Monitor
            call = model._compiled_call_impl = PlainCall(model, closing)
        call.holders += 1
        self._model, self._call = weakref.ref(model), call

    def hold(self) -> None:
        """Have compiled functions run as they are written; to be repeated when a forward pass begins.

        Raises:
            RuntimeError: a compiler is at work on this call.
        """
        self._hold.take()

    def remove(self) -> None:
        """Compiled code runs compiled again, unless another Monitor is attached."""
        model, call = self._model(), self._call
        call.holders -= 1
        if model is not None and not call.holders and model._compiled_call_impl is call:
            model._compiled_call_impl = call.before
        self._hold.let_go()


class SilencedAdvice:
    """Keeps compiled parts of a model from advising against global hooks, until `remove()`."""

    def __init__(self, root: nn.Module) -> None:
        self._catch = None
        if any(hasattr(module, "_orig_mod") for module in root.modules()):
            self._catch = warnings.catch_warnings()
            self._catch.__enter__()
            warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global")

    def remove(self) -> None:
        """Let warnings through again."""
        if self._catch is not None:
            self._catch.__exit__(None, None, None)
