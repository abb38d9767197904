"""Calls of a module that run as they are written, inside a context that is left however they end."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from torch import nn


class PlainCall:
    """Stands in `module._compiled_call_impl`, which PyTorch calls in place of the module, and which copies go without.

    Hooks would not do: PyTorch calls none for an exception that is no `Exception`, such as KeyboardInterrupt.

    Args:
        module: what is called; it is not held alive.
        around: makes the context of a call.

    Example:
        >>> from contextlib import nullcontext
        >>> module = nn.Identity()
        >>> module._compiled_call_impl = PlainCall(module, nullcontext)
        >>> module(3), is_compiled(module)
        (3, False)
    """

    def __init__(
        self, module: nn.Module, around: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._module, self._around = weakref.ref(module), around
        self.before = module._compiled_call_impl  # what runs the module without this
        self.holders = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        module = self._module()
        assert module is not None
        with self._around():
            return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]  # by torch


def is_compiled(module: nn.Module) -> bool:
    """Whether a call of the module runs what `module.compile()` has made of it."""
    call = module._compiled_call_impl
    return call is not None and not isinstance(call, PlainCall)
