"""A tracer that follows its own thread alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from torch import fx, nn

from picojoule.convert.stand_in import tensors_to_who_asks
from picojoule.ops.cpu.forks import making


class OwnThreadTracer(fx.Tracer):
    """Follows what its thread calls; modules that other threads run meanwhile run as ever.

    While torch.fx follows a module it stands in for `nn.Module.__call__`, and we for `isinstance`, in all threads. Two tracers at once would each
    put back what the other put there, and a process forked meanwhile would keep it: both wait.
    """

    _thread = 0

    def trace(
        self, root: nn.Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None
    ) -> fx.Graph:
        """As of any tracer."""
        with making, tensors_to_who_asks():
            self._thread = threading.get_ident()
            return super().trace(root, concrete_args)

    def create_arg(self, a: Any) -> Any:
        """What a graph holds of a value: of a stand-in its node, whatever it passes for."""
        return a.node if issubclass(type(a), fx.Proxy) else super().create_arg(a)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """What a call of a module gives: of another thread what it gives, of this one a stand-in."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return self.followed(m, forward, args, kwargs)

    def followed(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """What a call in this thread gives."""
        return super().call_module(m, forward, args, kwargs)
