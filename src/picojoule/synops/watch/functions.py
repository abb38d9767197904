"""Sees the functions that a forward pass calls: counts those with synapses, follows spikes through the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from picojoule.synops.formulas import FORMULAS, Formula, Synapses
from picojoule.synops.watch.call import Call, tensors
from picojoule.synops.watch.count import Counter
from picojoule.synops.watch.detail import Details
from picojoule.synops.watch.ledger import Ledger, Line
from picojoule.synops.watch.names import CallNames, op_name, owns
from picojoule.synops.watch.neurons import Neurons
from picojoule.synops.watch.origin import DENSE, ZEROS, Origins, joined
from picojoule.synops.watch.published import CountedCall, PublishedCounts
from picojoule.synops.watch.rules import origin_of_result
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.spiking import Spiking

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


class Frame(NamedTuple):
    """A module that is running, and how it is watched."""

    name: str
    module: nn.Module
    kind: Spiking | None
    seeing: bool  # whether functions are looked at
    ignored: bool


class FunctionWatch(TorchFunctionMode):
    """The functions of one forward pass; which module runs, the subclass says.

    `counted` and `harmless` are the ids of parameters in counted calls and in functions that have
    no synapses by nature.
    """

    neurons: Neurons

    def __init__(self, settings: Settings, origins: Origins) -> None:
        super().__init__()
        self.settings, self.ledger = settings, Ledger()
        self.counted: set[int] = set()
        self.harmless: set[int] = set()
        self.origins = origins
        self._counter = Counter(origins, settings.weights, settings.dense_as_spikes)
        self._published = (
            PublishedCounts(origins, settings.weights) if settings.conventions else None
        )
        self._details = (
            Details(settings.detail, origins, self._counter.mask, settings.dense_as_spikes)
            if settings.detail
            else None
        )
        self._call_names, self._stack = CallNames(), list[Frame]()
        self._busy = False

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
        if self.neurons.search is not None:
            self.neurons.search.see_function(func, args, kwargs)
        result = func(*args, **kwargs)
        if args and result is args[0] and isinstance(result, Tensor):
            self.origins.renew(result)
        if isinstance(result, Tensor | list | tuple):
            self._note(func, args, kwargs, result)
        return result

    def _count_call(self, func: Any, formula: Formula, args: Any, kwargs: Any) -> Any:
        synapses = formula(*args, **kwargs)
        arguments = tensors((*args, *kwargs.values()))
        given = [origin for origin in map(self.origins.constant, arguments) if origin is not None]
        parameters = frozenset[int]().union(*(origin.parameters for origin in given))
        data = [
            self.origins.of(x).kind
            for s in synapses
            for i, x in enumerate(s.operands)
            if i not in s.weights
        ]
        only_weights = bool(data) and set(data) == {"constant"}
        frame, line = self._stack[-1], None
        module = frame.module if owns(frame.module, parameters) else None
        if not only_weights:
            self.counted |= parameters
            if self.neurons.search is not None:
                self.neurons.search.see_synapses()
            if not frame.ignored:
                own = module is not None and frame.name != ""
                name = frame.name if own else self._call_names.name(frame.name, func, parameters)
                line = self._enter(name, op_name(func) if module is None else module, synapses)
        result = func(*args, **kwargs)
        if line is not None:
            if isinstance(result, Tensor) and self._adds_bias(synapses, arguments):
                line.biases += result.numel()
            if self._published is not None:
                call = CountedCall(synapses, op_name(func), module, result)
                line.publish(*self._published.of(call))
        origin = joined(given) if only_weights else DENSE
        for x in tensors([result]):
            self.origins.put(x, origin)
        return result

    def _enter(self, name: str, kind: str | nn.Module, synapses: list[Synapses]) -> Line:
        line = self.ledger.line(name)
        line.kind = kind if isinstance(kind, str) else type(kind).__name__
        for each in synapses:
            line.add(*self._counter.count(each), self._counter.dense(each))
            if self._details is not None:
                self._details.add(name, each)
        return line

    def _adds_bias(self, synapses: list[Synapses], arguments: list[Tensor]) -> bool:
        """Whether a call of one product is given a vector that it does not multiply by."""
        return len(synapses) == 1 and any(
            x.ndim == 1
            and all(x is not operand for operand in synapses[0].operands)
            and self.origins.constant(x) is not None
            for x in arguments
        )

    def _note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        origin = origin_of_result(Call(self.origins, func, args, kwargs, result))
        results = tensors([result])
        several = origin if isinstance(origin, list) else [origin] * len(results)
        for x, its in zip(results, several, strict=False):
            self.origins.put(x, its)
        name = getattr(func, "__name__", "")
        if name.strip("_") in HARMLESS:
            for x in tensors((*args, *kwargs.values())):
                constant = self.origins.constant(x)
                if constant is not None:
                    self.harmless |= constant.parameters

    def _assign(self, func: Any, args: Any, kwargs: Any) -> Any:
        target, _, value = args
        before = self.origins.of(target)
        put = (
            self.origins.of(value)
            if isinstance(value, Tensor)
            else (ZEROS if value == 0 else DENSE)
        )
        result = func(*args, **kwargs)
        after = joined([before, put])
        for x in (target, target._base):
            if x is not None:
                self.origins.put(x, after)
        return result
