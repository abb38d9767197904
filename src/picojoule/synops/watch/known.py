"""What the witness has seen before, so that it need not look again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from picojoule.synops.watch.effects import Effects

WitnessMode = Literal["auto", "always", "off"]
_PLAIN = (bool, int, str, type(None))


class KnownCalls:
    """Remembers, over the passes of one Monitor, the calls in which no product is hidden.

    Args:
        mode: "auto" looks at what has not been seen, "always" at everything, "off" at nothing.
    """

    def __init__(self, mode: WitnessMode = "auto") -> None:
        self.mode = mode
        self._calls: set[Any] = set()
        self._inputs: set[Any] = set()
        self.hides_products = False  # where no call of a function shows them
        self.effects = Effects()

    def asks_for_witness(self, root: nn.Module, inputs: Iterable[Tensor]) -> bool:
        """Whether a whole pass with these inputs is to be looked at below its functions."""
        if self.mode != "auto":
            return self.mode == "always"
        key = (root.training, *((x.shape, x.dtype, x.layout) for x in inputs))
        new = key not in self._inputs
        self._inputs.add(key)
        return new or self.hides_products

    def signature(self, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """What tells a call from another: function, shapes, and options that are plain values."""
        named = tuple((name, _plain(value)) for name, value in kwargs.items())
        return function, tuple(map(_plain, args)), named

    def is_new(self, signature: Any) -> bool:
        """Whether such a call is to be looked at."""
        return self.mode != "off" and signature not in self._calls

    def add(self, signature: Any) -> None:
        """No product was hidden in such a call."""
        self._calls.add(signature)


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return type(value) if is_lazy(value) or value.is_nested else value.shape
    if isinstance(value, _PLAIN):
        return value
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else type(value)
