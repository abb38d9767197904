"""Follows one forward pass: which function runs in which module, with which spikes.

A mode sees every function of PyTorch; hooks on all modules, there only while the pass runs, tell
in which module. Nothing is added to the model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import _get_current_function_mode

from picojoule.layers import FlattenTime, HookHandles, UnflattenTime
from picojoule.synops.formulas import Formula
from picojoule.synops.sequential import holds_synapses
from picojoule.synops.watch.call import tensors
from picojoule.synops.watch.doubts import doubts
from picojoule.synops.watch.functions import Frame, FunctionWatch
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.nested import nested_tensors
from picojoule.synops.watch.neurons import Neurons
from picojoule.synops.watch.origin import DENSE, Origin, Origins
from picojoule.synops.watch.published import CountedCall
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.spiking import Spiking, carries_state, passes_spikes_on
from picojoule.synops.watch.steps import StepCount
from picojoule.synops.watch.uncompiled import SilencedAdvice

current_mode: Callable[[], Any] = _get_current_function_mode


class WatchedForward(FunctionWatch):
    """One forward pass of a model under watch."""

    def __init__(self, root: nn.Module, settings: Settings, before: Origins | None = None) -> None:
        super().__init__(settings, Origins(_constants(root, settings), settings.inputs, before))
        self.root = root
        self.steps = StepCount(settings.time_axis, settings.num_timesteps, settings.samples)
        self.neurons = Neurons(settings.learned, self.origins, self.ledger, self.steps)
        self.names = {id(m): name for name, m in root.named_modules()}
        self.called: dict[str, nn.Module] = {}
        self._looking = False
        self._hooked: set[int] = set()
        self._thread, self._handles = threading.get_ident(), HookHandles()

    def start(self, values: list[Any]) -> None:
        """Begin, as the model is called with these arguments."""
        inputs = nested_tensors(values)
        self.steps.see_input(values)
        self.origins.give(inputs)
        self._handles.add(SilencedAdvice(self.root))
        self._handles.add(torch_module.register_module_forward_pre_hook(self._before))
        # without keyword arguments, whose hooks PyTorch forgets to remove
        self._handles.add(torch_module.register_module_forward_hook(self._after, always_call=True))
        for module in self.root.modules():
            if module is self.root:
                continue
            if module._forward_hooks:
                last = module.register_forward_hook(self._after_hooks, always_call=True)
                self._handles.add(last)
                self._hooked.add(id(module))
            if self._formula(module) is not None:
                hook = module.register_forward_hook(self._after_formula, with_kwargs=True)
                self._handles.add(hook)
        self._push(self.root, inputs)
        self._look()

    def stop(self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """End, as the model returns or fails (with no output)."""
        if self._looking:
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self._handles.remove()
        if output is not None:
            root = self._stack[-1]
            self._pop((*args, *kwargs.values()), output)
            if self._formula(self.root) is not None:
                self._count_module(self.root, root, args, kwargs, output)
        self._stack.clear()

    def finish(self) -> Ledger:
        """The results, after the end.

        Raises:
            ValueError: samples and time steps cannot be told.
        """
        self.neurons.finish()
        steps = self.steps.result()
        self.ledger.passes.append(steps)
        self.ledger.notes |= doubts(self.neurons, self.steps, self.origins)
        self.settings.learned.complete = True
        if self._details is not None:
            self.ledger.details = self._details.result(steps, self.steps.time_first)
        return self.ledger

    def _look(self) -> None:
        """Leave the stack of modes where functions are not looked at: a neuron calls thousands."""
        seeing = self._stack[-1].seeing
        if seeing and not self._looking:
            self.__enter__()  # type: ignore[no-untyped-call]
            self._looking = True
        elif self._looking and not seeing and current_mode() is self:
            self.__exit__(None, None, None)
            self._looking = False

    def _before(self, module: nn.Module, args: Any) -> None:
        if threading.get_ident() == self._thread:
            with self._unseen():
                self._push(module, tensors(args))
            self._look()

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        if len(self._stack) == 1:  # the model's own hooks follow
            self._busy = True
            return
        with self._unseen():
            self._pop(args, output)
        if id(module) in self._hooked:
            self._stack.append(Frame("", module, None, seeing=False, ignored=True))
        self._look()

    def _after_hooks(self, module: nn.Module, *_: Any) -> None:
        """What a module's hooks computed for themselves is no part of the model."""
        if self._stack[-1].module is module:
            self._stack.pop()
            self._look()

    def _after_formula(
        self, module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any
    ) -> None:
        parent = self._stack[-1]
        if parent.seeing:
            with self._unseen():
                self._count_module(module, parent, args, kwargs, output)

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """What the watch itself computes is no part of the model."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _push(self, module: nn.Module, inputs: list[Tensor]) -> None:
        parent = self._stack[-1] if self._stack else None
        name = self._name(module, parent)
        kind = self._kind(name, module)
        inside = (
            parent is not None and parent.kind is not None and self._formula(parent.module) is None
        )
        seeing = parent is None or parent.seeing or (inside and holds_synapses(module))
        ignored = (parent is not None and parent.ignored) or name in self.settings.ignore
        if parent is not None and not parent.seeing and seeing and parent.kind is not None:
            self.neurons.feed(inputs)
        self.neurons.enter(module, kind, inputs)
        if inputs:
            self.steps.see_module(inputs[0])
        closed = kind.closed if kind is not None else passes_spikes_on(module)
        seeing = seeing and not closed and self._formula(module) is None
        self._stack.append(Frame(name, module, kind, seeing, ignored))
        if kind is not None and name not in self.called:
            self.ledger.carried[name] = carries_state(module)
        if not ignored:
            self.called[name] = module

    def _pop(self, args: Any, output: Any) -> None:
        frame = self._stack.pop()
        outer_sees = not self._stack or self._stack[-1].seeing
        inputs = tensors(args)
        self.neurons.leave(frame.name, frame.module, frame.kind, inputs, output)
        if output is None:  # it failed
            return
        if frame.kind is None and passes_spikes_on(frame.module) and outer_sees:
            self.origins.put(output, self._passed(inputs[0]))
        if inputs and isinstance(frame.module, FlattenTime | UnflattenTime):
            self.steps.see_reshape(frame.module, inputs[0])

    def _passed(self, x: Tensor) -> Origin:
        origin = self.origins.of(x)
        return origin if origin.uniform() else DENSE

    def _name(self, module: nn.Module, parent: Frame | None) -> str:
        name = self.names.get(id(module))
        if name is not None or parent is None:
            return name or ""
        return f"{parent.name}.{type(module).__name__}".lstrip(".")

    def _kind(self, name: str, module: nn.Module) -> Spiking | None:
        return self.settings.kind_of(name, module)

    def _formula(self, module: nn.Module) -> Formula | None:
        return self.settings.formula_of(module)

    def _count_module(
        self, module: nn.Module, parent: Frame, args: Any, kwargs: Any, output: Any
    ) -> None:
        formula = self._formula(module)
        assert formula is not None
        self.counted |= {id(p) for p in module.parameters()}
        name = self._name(module, parent)
        if not (parent.ignored or name in self.settings.ignore):
            synapses = formula(module, *args, **kwargs)
            line = self._enter(name, module, synapses)
            if self._published is not None:
                line.publish(*self._published.of(CountedCall(synapses, "formula", None, output)))
        for x in tensors([output]):
            if self.origins.known(x) is None:
                self.origins.put(x, DENSE)


def _constants(root: nn.Module, settings: Settings) -> set[int]:
    found = set()
    for name, module in root.named_modules():
        # their mappings, as the generators over them take longer than the rest
        found |= {id(p) for p in module._parameters.values() if p is not None}
        if module._buffers and not settings.keeps_state(name, module):
            found |= {id(b) for b in module._buffers.values() if b is not None}
    return found
