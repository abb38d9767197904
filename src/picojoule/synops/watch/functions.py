"""Sees the functions that a forward pass calls: counts those with synapses, follows spikes through the others."""

# More than 250 lines: one mode of PyTorch's, which counts and follows every function of a forward pass.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from picojoule.activation.transforms import is_batched
from picojoule.synops.formulas import Formula, Synapses, formula_of
from picojoule.synops.watch.conditional import (
    conditional_synapses,
    is_conditional,
    measures_distances,
    scales,
)
from picojoule.synops.watch.effects import COUNTED, Asked, Effect, asked
from picojoule.synops.watch.function_call import FunctionCall, tensors
from picojoule.synops.watch.known import KnownCalls
from picojoule.synops.watch.ledger import Line
from picojoule.synops.watch.modules import Look, ModuleStack
from picojoule.synops.watch.names import op_name, place
from picojoule.synops.watch.nested import refuse_nested
from picojoule.synops.watch.neurons import Neurons
from picojoule.synops.watch.offsets import same_values
from picojoule.synops.watch.origin import DENSE, Origin, sum_with_dense
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.published import CountedCall
from picojoule.synops.watch.repeats import Repeat
from picojoule.synops.watch.rules import origin_of_result
from picojoule.synops.watch.rules.arithmetic import left_of_offsets
from picojoule.synops.watch.rules.overwritten import numbers_over, overwritten
from picojoule.synops.watch.rules.picking import constants_of, is_without_data, origin_of_picked
from picojoule.synops.watch.rules.units import assembled, together, uniform
from picojoule.synops.watch.running import running
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.tally import Tally, kind_of_call
from picojoule.synops.watch.thresholds import without_dynamics
from picojoule.synops.watch.witness import Witness

# functions in which a parameter is an offset or a scale, whose values no spike has to reach
HARMLESS = frozenset(
    [
        "add",
        "radd",
        "iadd",
        "sub",
        "subtract",
        "rsub",
        "cat",
        "stack",
        "where",
        "prelu",
        "layer_norm",
        "group_norm",
        "batch_norm",
        "rms_norm",
        "instance_norm",
        "native_layer_norm",
        "native_group_norm",
        "native_batch_norm",
    ]
)
_GET_DATA, _SET_DATA = Tensor.data.__get__, Tensor.data.__set__  # type: ignore[attr-defined]


_OUT_OF_PYTORCH = frozenset(["numpy", "array", "tolist"])
# functions that add, with the signs of their operands
_SUMS = {
    getattr(space, name): signs
    for names, signs in (
        ("add __add__ __radd__", (1, 1)),
        ("sub subtract __sub__", (1, -1)),
        ("rsub __rsub__", (-1, 1)),
    )
    for name in names.split()
    for space in (torch, Tensor)
    if hasattr(space, name)
}


class FunctionWatch(TorchFunctionMode):
    """Sees the functions of one forward pass.

    Args:
        settings: what the Monitor was asked to do.
        stack: which module runs.
        origins: what the tensors are.
        tally: where counted calls are entered.
        witness: sees what happens below the functions.
        known: the calls below which there is nothing to see.
        neurons: what is found out about modules that may be neurons.
    """

    def __init__(
        self,
        settings: Settings,
        stack: ModuleStack,
        origins: Origins,
        tally: Tally,
        witness: Witness,
        known: KnownCalls,
        neurons: Neurons,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._stack, self._origins, self._tally = stack, origins, tally
        self._witness, self._known, self._neurons = witness, known, neurons
        self._effects, self._remembers = known.effects, settings.learned.complete
        self._repeats: dict[Any, Repeat] = {}  # by module, call, and place in the code
        self._running = running()
        self.left: dict[str, None] = {}  # names of modules in which values left PyTorch
        self._once: set[Any] = set()  # such sites, as long as there was one call

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run a function, count it if it has synapses, and note what its results are."""
        kwargs = kwargs or {}
        now = self._running
        if len(now.passes) > 1 and now.function != func:
            return self._run_beside_others(func, types, args, kwargs)
        if self._stack.look is not Look.FUNCTIONS:
            return func(*args, **kwargs)
        if is_batched():  # tensors stand for batches here; below, they are plain
            with self._witness.looking():
                return func(*args, **kwargs)
        call = None
        if not self._remembers:
            self._neurons.see_function(func, args, kwargs)
        elif not self._witness.at_work:
            call = asked(self._origins, func, args, kwargs)
            effect = None if call is None else self._effects.get(call.key)
            if call is not None and effect is not None:
                if effect is not COUNTED:
                    return self._run_again(call, effect, func, args, kwargs)
                repeat = self._repeat(call, args)
                if repeat is not None:
                    return self._count_again(repeat, func, args, kwargs)
        return self._look_at(func, args, kwargs, call)

    def _run_beside_others(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Where several Monitors watch, each sees the function, and nothing of what the others call meanwhile."""
        now = self._running
        if now.function is not None:
            return func(*args, **kwargs)
        now.function = func
        try:
            return self.__torch_function__(func, types, args, kwargs)
        finally:
            now.function = None

    def _look_at(self, func: Any, args: Any, kwargs: Any, call: Asked | None) -> Any:
        """Run a function of which it is not known what it does to what it is given here."""
        users = self._settings.formula_of_function(func)
        if users is not None:
            with self._stack.aside():
                synapses = users(*args, **kwargs)
            return self._run_counted(func, synapses, args, kwargs)
        formula = formula_of(func)
        if formula is not None:
            return self._count_call(func, formula, args, kwargs, call)
        if is_conditional(func):
            return self._count_if_any(func, args, kwargs, call)
        if getattr(func, "__name__", "") == "__setitem__":
            return self._assign(func, args, kwargs)
        return self._follow(func, args, kwargs, call)

    def _run_again(self, call: Asked, effect: Effect, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a function that was seen to have no synapses when it was given the like."""
        result = func(*args, **kwargs)
        origin = effect.origin if effect.judged_as is None else effect.result(call.given)
        if (
            origin is not None
            and origin.kind == "dense"
            and func in _SUMS
            and self._may_leave_spikes(call.given, _SUMS[func], args)
        ):
            seen = FunctionCall(self._origins, func, args, kwargs, result)
            with self._stack.aside():
                origin = left_of_offsets(seen, _SUMS[func]) or origin
        if type(result) is Tensor and origin is not None:
            self._origins.put(result, origin)
        elif isinstance(result, Tensor | list | tuple):
            self._note(func, args, kwargs, result)
        if effect.harmless:
            self._tally.harmless |= effect.harmless
        return result

    def _may_leave_spikes(self, given: list[Origin], signs: tuple[int, int], args: Any) -> bool:
        """Whether a sum with dense values is worth a look at which tensors it is of."""
        if len(given) == 1:  # with a number
            return False
        if len(given) != 2 or len(args) != 2 or any(each.kind == "spikes" for each in given):
            return True
        a, b = args
        return a.shape == b.shape and self._origins.offsets.concern(a, b, sum(signs) == 0)

    def _repeat(self, call: Asked, args: Any) -> Repeat | None:
        """What counts this call together with others of its place in the model, if there is such."""
        frame = self._stack.top
        if frame.ignored or self._tally.lost_gradients.may_come:
            return None
        site = id(frame.module), call.key
        found = self._repeats.get(site) or self._repeats.get((*site, place()))
        return found if found is not None and found.fits(args) else None

    def _count_again(self, repeat: Repeat, func: Any, args: Any, kwargs: Any) -> Any:
        with self._stack.aside():
            repeat.add(self._origins, args)
        with self._stack.accounted():
            result = func(*args, **kwargs)
        for x in tensors([result]):
            self._origins.put(x, DENSE)
        return result

    def _count_call(
        self, func: Any, formula: Formula, args: Any, kwargs: Any, call: Asked | None
    ) -> Any:
        refuse_nested((*args, *kwargs.values()), self._stack.top.name)
        try:
            with self._stack.aside():
                synapses = formula(*args, **kwargs)
        except NotImplementedError:
            if self._known.mode == "off":
                raise
            return self._follow(func, args, kwargs)  # the products that it is made of show below
        return self._run_counted(func, synapses, args, kwargs, call)

    def _run_counted(
        self,
        func: Any,
        synapses: list[Synapses],
        args: Any,
        kwargs: Any,
        call: Asked | None = None,
    ) -> Any:
        arguments = tensors((*args, *kwargs.values()))
        self._tally.adopt(self._stack.replaced_parameters(), arguments)
        parameters = self._tally.parameters(arguments)
        frame, line = self._stack.top, None
        module = frame.module if self._stack.owns(frame.module, parameters) else None
        with self._stack.aside():
            has_data = self._tally.account(frame, synapses, arguments)
            if has_data and not frame.ignored:
                name = frame.name if module is not None else ""
                name = name or self._tally.name(frame.name, func, parameters)
                line = self._tally.enter(name, kind_of_call(func, module), synapses)
        try:
            with self._stack.accounted():
                result = func(*args, **kwargs)
        except BaseException:
            if line is not None:
                self._tally.take_back(line)
            raise
        with self._stack.aside():
            if line is not None:
                before = line.biases
                self._tally.add_biases(line, synapses, arguments, result)
                if call is not None and self._stack.has(frame.module):
                    site: Any = id(frame.module), call.key
                    site = site if module is not None else (*site, place())
                    self._prepare(site, call, line, synapses, args, line.biases - before)
                self._tally.publish(line, CountedCall(synapses, op_name(func), module, result))
            origin = DENSE if has_data else self._origins.product_of_weights(arguments)
            for x in tensors([result]):
                self._origins.put(x, origin)
        return result

    def _prepare(
        self,
        site: Any,
        call: Asked,
        line: Line,
        synapses: list[Synapses],
        args: Any,
        biases: int,
    ) -> None:
        """Have the third call of a site, and those that follow, counted together."""
        if site not in self._once:
            self._once.add(site)
            return
        repeat = self._tally.repeat(line, synapses, args, biases)
        if repeat is not None:
            self._repeats[site] = repeat
            self._effects.add_counted(call)

    def _count_if_any(self, func: Any, args: Any, kwargs: Any, call: Asked | None) -> Any:
        refuse_nested((*args, *kwargs.values()), self._stack.top.name)
        with self._stack.aside():
            synapses, in_a_neuron = self._arriving(func, args, kwargs)
        call = None if in_a_neuron else call  # the same is something else where no neuron runs
        if synapses:
            result = self._run_counted(func, synapses, args, kwargs)
            self._note(func, args, kwargs, result)
            return result
        harmless = self._tally.parameters(scales(func, args, kwargs))
        self._tally.harmless |= harmless
        with self._stack.accounted():
            result = func(*args, **kwargs)
        self._note(func, args, kwargs, result, call, harmless)
        return result

    def _arriving(self, func: Any, args: Any, kwargs: Any) -> tuple[list[Synapses], bool]:
        """The synapses of a call, and whether there are none because a neuron runs."""
        found = conditional_synapses(self._origins, func, args, kwargs)
        in_a_neuron = self._stack.top.kind is not None
        left = without_dynamics(self._origins, found, in_a_neuron)
        return left, in_a_neuron and len(left) < len(found)

    def _follow(self, func: Any, args: Any, kwargs: Any, call: Asked | None = None) -> Any:
        signature = self._known.signature(func, args, kwargs)
        if "dropout" in op_name(func):  # its own mask is no data
            with self._stack.accounted():
                result = func(*args, **kwargs)
        elif self._known.is_new(signature):
            with self._witness.looking() as seen:
                result = func(*args, **kwargs)
            if not seen.products:
                self._known.add(signature)
            call = None
        else:
            with self._witness.within_a_function():
                result = func(*args, **kwargs)
        if func == _SET_DATA:
            call = None  # which values a tensor has from now on no key of a call tells
            if not isinstance(args[0], nn.Parameter):
                self._origins.put(args[0], self._origins.of(args[1]))
        if op_name(func) in _OUT_OF_PYTORCH and self._may_be_multiplied(args[0]):
            self.left[self._stack.top.name] = None
        if isinstance(result, Tensor) and self._is_another_name(func, args):
            self._origins.alias(result, args[0])
            call = None
        if isinstance(result, Tensor | list | tuple):
            self._note(func, args, kwargs, result, call)
            return result
        if call is not None:
            self._effects.add(call, None, frozenset())
        return result

    def _may_be_multiplied(self, x: Tensor) -> bool:
        """Whether it is data or weights, not sizes and positions that were handed in."""
        if x.numel() < 2 or self._origins.is_of_numbers(x):
            return False
        if self._origins.constant(x):
            return x.ndim > 1
        return x.is_floating_point() or not self._origins.is_given(x)

    def _is_another_name(self, func: Any, args: Any) -> bool:
        """Whether a function gives values under another name, under which they can be written and nobody sees it."""
        if func == _GET_DATA:
            constant = self._origins.constant(args[0]) is not None
            return not (constant and self._origins.is_parameter(args[0]))
        return (
            func == Tensor.detach
            and self._origins.is_constant(args[0])
            and not self._origins.is_parameter(args[0])
        )

    def _note(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        result: Any,
        call: Asked | None = None,
        harmless: frozenset[int] = frozenset(),
    ) -> None:
        with self._stack.aside():
            if args and result is args[0] and isinstance(result, Tensor):
                self._origins.renew(result)
            origin = origin_of_result(FunctionCall(self._origins, func, args, kwargs, result))
            results = tensors([result])
            several = origin if isinstance(origin, list) else [origin] * len(results)
            for x, its in zip(results, several, strict=False):
                self._origins.put(x, its)
            self._written(result, args, kwargs)
        if op_name(func) in HARMLESS and not measures_distances(self._origins, func, args):
            harmless |= self._tally.parameters(tensors((*args, *kwargs.values())))
            self._tally.harmless |= harmless
        if call is not None and _is_new(result, args):
            # what a sum takes away of an offset is a matter of which tensors it is given
            if func in _SUMS and any(each.kind == "dense" for each in call.given):
                origin = sum_with_dense(call.given)
            self._effects.add(call, origin, harmless)

    def _written(self, result: Any, args: Any, kwargs: Any) -> None:
        """What was written into a view is in what it is a view of."""
        into = kwargs.get("out") if kwargs else None
        into = args[0] if into is None and args else into
        if result is not into or not isinstance(result, Tensor):
            return
        self._changed(result)

    def _changed(self, x: Tensor) -> None:
        """Values were written into `x`, whose origin is noted: what it is a part of, or another name of, has them, too."""
        for owner in self._origins.owners(x):
            if same_values(owner, x, versions=False):  # all of it
                self._origins.put(owner, self._origins.of(x))
                continue
            before = self._origins.before_a_change(owner, x)
            if before is not None:
                self._origins.put(owner, before)
                self._origins.put(owner, together(self._origins, [owner, x]))

    def _assign(self, func: Any, args: Any, kwargs: Any) -> Any:
        target, where, value = args
        with self._stack.aside():
            given = target, value, *tensors([where])
            call = FunctionCall(self._origins, func, given, {}, target)
            all_of_it = isinstance(value, Tensor) and _is_everything(where)
            after = (
                uniform(self._origins.of(value))
                if all_of_it
                else assembled(self._origins, [target, value])
            )
            data = not is_without_data(call)
            constants = constants_of(call)
            numbers = numbers_over(self._origins, target)
        result = func(*args, **kwargs)
        with self._stack.aside():
            if data and after.kind == "constant":
                after = origin_of_picked(call, constants)
            elif data and after.is_without_data():
                after = after.of_data()
            elif not data and after.kind == "dense":
                after = self._origins.without_data(tensors(call.values), after)
            after = overwritten(self._origins, target, numbers, value, after)
            self._origins.put(target, after)
            self._changed(target)
        return result


def _is_everything(where: Any) -> bool:
    """Whether an index names all places: `x[:] = value`, `x[...] = value`."""
    parts = where if isinstance(where, tuple) else (where,)
    return all(part is ... or (type(part) is slice and part == slice(None)) for part in parts)


def _is_new(result: Any, args: tuple[Any, ...]) -> bool:
    """Whether it is a plain tensor that the function has made; the scale of a quantised one tells of values."""
    plain = type(result) is Tensor and not result.is_quantized
    return plain and not any(result is x for x in args)
