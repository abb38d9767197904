"""Watches the forward passes of a model, and keeps what they spent."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from picojoule.activation.transforms import is_batched
from picojoule.layers import HookHandles
from picojoule.layers.chunks import current_chunk
from picojoule.synops.watch.checks import MonitorWarning, check_counted
from picojoule.synops.watch.forward import WatchedForward
from picojoule.synops.watch.known import KnownCalls
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.pass_size import PassSize
from picojoule.synops.watch.running import closing, running
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.uncompiled import Uncompiled


class Recorder:
    """Watches a model while it is attached; `ledger` is what the last pass spent, or all since `reset`.

    Args:
        model: the module that is watched.
        settings: what to count and how.
        known: which calls have been looked into below PyTorch's functions.
        accumulate: add up passes until `reset`, instead of keeping the last.
    """

    def __init__(
        self, model: nn.Module, settings: Settings, known: KnownCalls, accumulate: bool
    ) -> None:
        self._model, self._settings, self._known = model, settings, known
        self.accumulate = accumulate
        self._handles = HookHandles()
        self._uncompiled: Uncompiled | None = None
        self._in_call = False  # of another function than the model's own
        self._origins: Origins | None = None  # what the passes before have left, where they go on
        self._warned: set[str] = set()
        self.attached = False
        self.size: PassSize | None = None  # of the passes meanwhile; None to find out
        self.ledger: Ledger | None = None
        self.changes = 0  # of the ledger
        self.saw_gradients = False  # in the last pass
        self.with_gradients = 0  # passes that had them

    def attach(self) -> None:
        """Start to watch.

        Raises:
            TypeError: the model itself is a script, which takes no hooks.
        """
        if isinstance(self._model, torch.jit.ScriptModule):
            raise TypeError(
                f"Monitor: the model itself is a script ({type(self._model).__name__}), which takes no hooks. Wrap it, "
                "model = nn.Sequential(script), and watch and call that."
            )
        if self.attached:
            return
        pre, post = _ModelHook(self, "begin"), _ModelHook(self, "end")
        model, add = self._model, self._handles.add
        self._uncompiled = Uncompiled(model)
        add(self._uncompiled)
        add(model.register_forward_pre_hook(pre, prepend=True, with_kwargs=True))
        add(model.register_forward_hook(post, with_kwargs=True, always_call=True))
        self.attached = True

    def detach(self) -> None:
        """Stop to watch; the results stay."""
        self._handles.remove()
        self.attached = False

    def reset(self) -> None:
        """Forget the results."""
        self.ledger = self._origins = None
        self.changes += 1

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
        """Watch a call that is not the model's own `forward` as one forward pass."""
        was_attached = self.attached
        self.attach()
        try:
            with closing():
                watched = self.begin(args, kwargs)
                self._in_call = True
                output = function(*args, **kwargs)
                if watched is not None:
                    watched.returned()
                self._in_call = False
                self.end(args, kwargs, () if output is None else output)
            return output
        finally:
            self._in_call = False
            if not was_attached:
                self.detach()

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> WatchedForward | None:
        """The model is called."""
        if self._in_call or _runs_again():
            return None
        _check_transforms(bool(self._settings.detail))
        if self._uncompiled is not None:
            self._uncompiled.hold()
        watched = WatchedForward(self._model, self._settings, self._known, self._origins)
        watched.start([*args, *kwargs.values()])
        return watched

    def end(self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """The model returns, or fails, with no output."""
        watched = self._innermost()
        if self._in_call or watched is None or current_chunk() is not None or is_batched():
            return
        failed = sys.exc_info()[0] is not None and output is None
        watched.stop(args, kwargs, output)
        if failed:
            return
        check_counted(watched)
        with watched.stack.aside():
            ledger = watched.finish(self.size)
            if self.accumulate and self.ledger is not None:
                self.ledger.extend(ledger, next_step=self._settings.time_axis == "outer")
            else:
                self.ledger = ledger
        self.changes += 1
        self.saw_gradients = torch.is_grad_enabled()
        self.with_gradients += self.saw_gradients
        self._origins = watched.origins if self.accumulate else None
        self._warn(ledger.notes)

    def _innermost(self) -> WatchedForward | None:
        """The pass that this Monitor watches in this thread; of several, one in another, the innermost."""
        for each in reversed(running().passes):
            if isinstance(each, WatchedForward) and each.settings is self._settings:
                return each
        return None

    def _warn(self, notes: Mapping[str, bool]) -> None:
        for sentence in [s for s, aloud in notes.items() if aloud and s not in self._warned]:
            self._warned.add(sentence)
            warnings.warn(f"Monitor: {sentence}", MonitorWarning, stacklevel=2)


class _ModelHook:
    """A hook that lives as long as its Recorder; in copies and pickles of the model it does nothing."""

    def __init__(self, recorder: Recorder | None, method: str) -> None:
        self._recorder: Callable[[], Recorder | None] = (
            _nobody if recorder is None else weakref.ref(recorder)
        )
        self._method = method

    def __call__(self, _: nn.Module, *call: Any) -> None:
        recorder = self._recorder()
        if recorder is not None:
            getattr(recorder, self._method)(*call)

    def __reduce__(self) -> tuple[Any, ...]:
        return _ModelHook, (None, self._method)


def _check_transforms(detailed: bool) -> None:
    """Raise NotImplementedError where the model is called under a transform of torch.func that hides what is counted."""
    if is_batched():
        raise NotImplementedError(
            "Monitor: the model is called under torch.func.vmap (jacfwd and hessian call it so, too), under which "
            "nobody can see the values of single samples, so nothing can be counted. Call it inside "
            "monitor.paused(), and count model(x), which has the samples as an axis."
        )
    if detailed and torch._C._functorch.peek_interpreter_stack() is not None:
        raise NotImplementedError(
            "Monitor: detail= cannot be kept in a call under a transform of torch.func (grad, vjp, jvp, ...), since it takes "
            "a derivative of its own. Call it inside monitor.paused(), and count model(x); or leave detail= out."
        )


def _runs_again() -> bool:
    """Whether this is a chunk of time in the backward pass, which was counted in the forward pass.

    Raises:
        RuntimeError: it is one in the forward pass, where the model does not see the whole sequence.
    """
    chunk = current_chunk()
    if chunk is not None and not chunk.again:
        raise RuntimeError(
            "Monitor: the model runs inside checkpoint_time, which hands it one chunk of time after the other, so none of "
            "its passes is of the whole sequence. Watch the module that checkpoint_time is given, or one that calls "
            "checkpoint_time in its forward; or call it inside monitor.paused()."
        )
    return chunk is not None


def _nobody() -> None:
    return None
