"""Forward hooks that do not keep their owner alive, and that copies of the model do not carry on."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


class WeakHook:
    """Calls a bound method as long as its object lives; copies and pickles of it do nothing.

    Args:
        method: called as `method(module, *settings, inputs)` or `(module, *settings, inputs, output)`.
        *settings: passed on.

    Example:
        >>> import copy
        >>> import torch
        >>> class Ears:
        ...     def hear(self, module, inputs, output):
        ...         print("heard", tuple(output.shape))
        >>> ears, layer = Ears(), torch.nn.Linear(2, 3)
        >>> _ = layer.register_forward_hook(WeakHook(ears.hear))
        >>> _ = layer(torch.ones(1, 2)), copy.deepcopy(layer)(torch.ones(1, 2))
        heard (1, 3)
    """

    def __init__(self, method: Callable[..., None] | None = None, *settings: Any) -> None:
        self._method = None if method is None else weakref.WeakMethod(method)
        self._settings = settings

    def __call__(self, module: Any, *inputs_and_output: Any) -> None:
        """Call the method, if it is still there."""
        method = None if self._method is None else self._method()
        if method is not None:
            method(module, *self._settings, *inputs_and_output)

    def __reduce__(self) -> tuple[Any, ...]:
        return WeakHook, ()
