"""Compiled code runs uncompiled while it is watched: only then it shows what happens inside."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch
from torch import nn

_COMPILED_UNDER_WATCH = (
    "Monitor: the model is being compiled while it is watched. Compile it first, then attach the "
    "Monitor; it runs uncompiled while watched."
)


class Uncompiled:
    """Holds compiled code off until `remove()`."""

    _holders = 0
    _stance: Any = None

    def __init__(self, model: nn.Module) -> None:
        self._model, self._call = model, model._compiled_call_impl
        model._compiled_call_impl = None
        self._holds = False
        self.hold()

    def hold(self) -> None:
        """Have compiled functions run as they are written; to be repeated when a forward pass begins.

        Raises:
            RuntimeError: a compiler is at work on this call.
        """
        if torch.compiler.is_compiling():
            raise RuntimeError(_COMPILED_UNDER_WATCH)
        # nothing is compiled before this is imported, which takes a second
        if self._holds or "torch._dynamo" not in sys.modules:
            return
        if Uncompiled._holders == 0:
            try:
                Uncompiled._stance = torch.compiler.set_stance("force_eager")
            except RuntimeError as error:
                raise RuntimeError(_COMPILED_UNDER_WATCH) from error
        Uncompiled._holders += 1
        self._holds = True

    def remove(self) -> None:
        """Compiled code runs compiled again, unless another Monitor is attached."""
        self._model._compiled_call_impl = self._call
        if self._holds:
            self._holds = False
            Uncompiled._holders -= 1
            if Uncompiled._holders == 0:
                Uncompiled._stance.__exit__(None, None, None)


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
