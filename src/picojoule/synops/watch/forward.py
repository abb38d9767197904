"""Follows one forward pass: which function runs in which module, with which spikes.

A mode sees every function of PyTorch; hooks on all modules, there only while the pass runs, tell
in which module. Nothing is added to the model.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import TorchFunctionMode

from picojoule.layers import FlattenTime, HookHandles, UnflattenTime
from picojoule.synops.formulas import FORMULAS, Formula
from picojoule.synops.sequential import holds_synapses
from picojoule.synops.watch.count import Counter, Weights
from picojoule.synops.watch.ledger import Ledger
from picojoule.synops.watch.names import CallNames, owns
from picojoule.synops.watch.origin import (
    DENSE,
    SIGNED_SPIKES,
    SPIKES,
    ZEROS,
    Origin,
    Origins,
    joined,
)
from picojoule.synops.watch.rules import Call, origin_of_result, tensors
from picojoule.synops.watch.spiking import LEADING, Spiking, TimeAxis, passes_spikes_on, spiking
from picojoule.synops.watch.steps import StepCount


@dataclass(frozen=True)
class Settings:
    """What to count and how; see :class:`picojoule.Monitor`."""

    weights: Weights = "all"
    formulas: dict[Any, Formula] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    spiking_types: tuple[type[nn.Module], ...] = ()
    spiking_names: tuple[str, ...] = ()
    time_axis: TimeAxis | None = None
    num_timesteps: int | None = None
    inputs: Origin | None = None
    dense_as_spikes: bool = False


class _Frame(NamedTuple):
    name: str
    module: nn.Module
    kind: Spiking | None
    seeing: bool  # whether functions are looked at
    ignored: bool


class WatchedForward(TorchFunctionMode):
    """One forward pass of a model under watch."""

    def __init__(self, root: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.root, self.settings, self.ledger = root, settings, Ledger()
        self.steps = StepCount(settings.time_axis, settings.num_timesteps)
        self.names = {id(m): name for name, m in root.named_modules()}
        self.called: dict[str, nn.Module] = {}
        self.counted: set[int] = set()
        self.harmless: set[int] = set()
        self._origins = Origins(_constants(root), settings.inputs)
        self._counter = Counter(self._origins, settings.weights, settings.dense_as_spikes)
        self._call_names, self._stack = CallNames(), list[_Frame]()
        self._busy = False
        self._hooked: set[int] = set()
        self._thread, self._handles = threading.get_ident(), HookHandles()

    # ---- modules

    def start(self, inputs: list[Tensor]) -> None:
        """Begin, as the model is called."""
        self.steps.see_input(inputs)
        self._handles.add(_SilencedAdvice(self.root))
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
        self.__enter__()  # type: ignore[no-untyped-call]

    def stop(self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """End, as the model returns or fails (with no output)."""
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self._handles.remove()
        if output is not None:
            root = self._stack[-1]
            self._pop((*args, *kwargs.values()), output)
            if self._formula(self.root) is not None:
                self._count_module(self.root, root, args, kwargs, output)
        self._stack.clear()

    def _before(self, module: nn.Module, args: Any) -> None:
        if threading.get_ident() == self._thread:
            with self._unseen():
                self._push(module, tensors(args))

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        if len(self._stack) == 1:  # the model's own hooks follow
            self._busy = True
            return
        with self._unseen():
            self._pop(args, output)
        if id(module) in self._hooked:
            self._stack.append(_Frame("", module, None, seeing=False, ignored=True))

    def _after_hooks(self, module: nn.Module, *_: Any) -> None:
        """What a module's hooks computed for themselves is no part of the model."""
        if self._stack[-1].module is module:
            self._stack.pop()

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
        seeing = (
            parent is None or parent.seeing or (parent.kind is not None and holds_synapses(module))
        )
        ignored = (parent is not None and parent.ignored) or name in self.settings.ignore
        if parent is not None and not parent.seeing and seeing and parent.kind is not None:
            # what a neuron feeds back to itself was made where nobody looked
            for x in inputs:
                if parent.kind.spikes and self._origins.known(x) is None:
                    self._origins.put(x, SIGNED_SPIKES if parent.kind.signed else SPIKES)
        seeing = seeing and not (kind is not None and kind.closed) and self._formula(module) is None
        self._stack.append(_Frame(name, module, kind, seeing, ignored))
        if not ignored:
            self.called[name] = module

    def _pop(self, args: Any, output: Any) -> None:
        frame = self._stack.pop()
        outer_sees = not self._stack or self._stack[-1].seeing
        inputs = tensors(args)
        if output is None:  # it failed
            return
        if frame.kind is not None:
            self._spiked(frame, frame.kind, inputs, output)
        elif passes_spikes_on(frame.module) and outer_sees:
            self._origins.put(output, self._passed(inputs[0]))
        if inputs and isinstance(frame.module, FlattenTime | UnflattenTime):
            self.steps.see_reshape(frame.module, inputs[0])

    def _passed(self, x: Tensor) -> Origin:
        origin = self._origins.of(x)
        return origin if origin.uniform() else DENSE

    def _name(self, module: nn.Module, parent: _Frame | None) -> str:
        name = self.names.get(id(module))
        if name is not None or parent is None:
            return name or ""
        return f"{parent.name}.{type(module).__name__}".lstrip(".")

    def _kind(self, name: str, module: nn.Module) -> Spiking | None:
        settings = self.settings
        if name in settings.spiking_names:
            return Spiking(settings.time_axis or "loop", signed=True, closed=False)
        return spiking(module, settings.spiking_types, settings.time_axis)

    def _formula(self, module: nn.Module) -> Formula | None:
        return next(
            (
                formula
                for kind, formula in self.settings.formulas.items()
                if isinstance(kind, type) and isinstance(module, kind)
            ),
            None,
        )

    def _count_module(
        self, module: nn.Module, parent: _Frame, args: Any, kwargs: Any, output: Any
    ) -> None:
        formula = self._formula(module)
        assert formula is not None
        self.counted |= {id(p) for p in module.parameters()}
        name = self._name(module, parent)
        if not (parent.ignored or name in self.settings.ignore):
            for synapses in formula(module, *args, **kwargs):
                self.ledger.add_call(name, *self._counter.count(synapses))
        for x in tensors([output]):
            if self._origins.known(x) is None:
                self._origins.put(x, DENSE)

    def _spiked(self, frame: _Frame, kind: Spiking, inputs: list[Tensor], output: Any) -> None:
        made = tensors([output])
        if not made:
            return
        self.steps.see_spiking(frame.name, frame.module, kind, (inputs or made)[0])
        if not kind.spikes:
            for x in made:
                self._origins.put(x, DENSE)
            return
        spikes = made[0]
        self._origins.put(spikes, SIGNED_SPIKES if kind.signed else SPIKES)
        lead = min(LEADING[kind.time], spikes.ndim)
        sums = self._origins.magnitudes(spikes).over(range(lead))
        self.ledger.add_rate(frame.name, sums, math.prod(spikes.shape[:lead]))

    # ---- functions

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run a function, count it if it has synapses, and note what its results are."""
        kwargs = kwargs or {}
        if self._busy or not self._stack[-1].seeing:
            return func(*args, **kwargs)
        formula = self.settings.formulas.get(func) or FORMULAS.get(func)
        if formula is not None:
            return self._count_call(func, formula, args, kwargs)
        if getattr(func, "__name__", "") == "__setitem__":
            return self._assign(func, args, kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor | list | tuple):
            self._note(func, args, kwargs, result)
        return result

    def _count_call(self, func: Any, formula: Formula, args: Any, kwargs: Any) -> Any:
        synapses = formula(*args, **kwargs)
        arguments = tensors((*args, *kwargs.values()))
        given = [origin for origin in map(self._origins.constant, arguments) if origin is not None]
        parameters = frozenset[int]().union(*(origin.parameters for origin in given))
        data = [
            self._origins.of(x).kind
            for s in synapses
            for i, x in enumerate(s.operands)
            if i not in s.weights
        ]
        only_weights = bool(data) and set(data) == {"constant"}
        frame = self._stack[-1]
        if not only_weights:
            self.counted |= parameters
            if not frame.ignored:
                name = (
                    frame.name
                    if owns(frame.module, parameters) and frame.name
                    else self._call_names.name(frame.name, func, parameters)
                )
                for each in synapses:
                    self.ledger.add_call(name, *self._counter.count(each))
        result = func(*args, **kwargs)
        origin = joined(given) if only_weights else DENSE
        for x in tensors([result]):
            self._origins.put(x, origin)
        return result

    def _note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        origin = origin_of_result(Call(self._origins, func, args, kwargs, result))
        results = tensors([result])
        several = origin if isinstance(origin, list) else [origin] * len(results)
        for x, its in zip(results, several, strict=False):
            self._origins.put(x, its)
        name = getattr(func, "__name__", "")
        if name.strip("_") in HARMLESS:
            for x in tensors((*args, *kwargs.values())):
                constant = self._origins.constant(x)
                if constant is not None:
                    self.harmless |= constant.parameters

    def _assign(self, func: Any, args: Any, kwargs: Any) -> Any:
        target, _, value = args
        before = self._origins.of(target)
        put = (
            self._origins.of(value)
            if isinstance(value, Tensor)
            else (ZEROS if value == 0 else DENSE)
        )
        result = func(*args, **kwargs)
        after = joined([before, put])
        for x in (target, target._base):
            if x is not None:
                self._origins.put(x, after)
        return result


# functions in which a parameter is an offset or a scale, whose values no spike has to reach
HARMLESS = frozenset(
    [
        "add",
        "radd",
        "iadd",
        "sub",
        "rsub",
        "cat",
        "stack",
        "layer_norm",
        "group_norm",
        "batch_norm",
        "rms_norm",
        "instance_norm",
        "prelu",
        "where",
    ]
)


def _constants(root: nn.Module) -> set[int]:
    dynamic = {id(m) for m in root.modules() if spiking(m) is not None}
    buffers = {
        id(b) for m in root.modules() if id(m) not in dynamic for b in m.buffers(recurse=False)
    }
    return buffers | {id(p) for p in root.parameters()}


class _SilencedAdvice:
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
