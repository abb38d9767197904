"""A second, independent witness: sees the operators below PyTorch's functions.

Scripts, exported programs, quantised layers, functions nobody wrote a formula for and C++ show nothing
above; here they are operators like all others. What multiplies, and was not counted above, is
counted by the operator's own formula, or is an error.
"""

# More than 250 lines: one mode of PyTorch's, which sees, counts, follows and refuses operators.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from picojoule.synops.formulas import Synapses
from picojoule.synops.formulas.kernels import (
    is_pytorchs_own,
    kernel_formula,
    multiplies_in_unknown_ways,
)
from picojoule.synops.watch.conditional import conditional_synapses, is_conditional
from picojoule.synops.watch.function_call import FunctionCall, tensors
from picojoule.synops.watch.modules import Frame, Look, ModuleStack
from picojoule.synops.watch.names import is_pytorchs_layer, op_name
from picojoule.synops.watch.origin import DENSE
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.published import CountedCall
from picojoule.synops.watch.rules import origin_of_result
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.tally import Tally, kind_of_call
from picojoule.synops.watch.thresholds import without_dynamics


class Seen:
    """What was seen since somebody began to look."""

    def __init__(self) -> None:
        self.products = False


class Witness(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees the operators of one forward pass, where nothing above has accounted for them.

    Args:
        settings: what the Monitor was asked to do.
        stack: which module runs.
        origins: what the tensors are.
        tally: where counted calls are entered.
    """

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Watched code runs uncompiled; PyTorch would import its compiler, seconds of work, to make sure."""
        return False

    def __init__(
        self, settings: Settings, stack: ModuleStack, origins: Origins, tally: Tally
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._settings = settings
        self._stack, self._origins, self._tally = stack, origins, tally
        self._looking = self._within = 0
        self._seen = Seen()
        # no function's call explains it: a product, or spikes that are not worth 1, as nobody could tell from whole numbers
        self.seen_outside = False

    @property
    def at_work(self) -> bool:
        """Whether it looks at what runs now."""
        return self._looking > 0

    @contextmanager
    def looking(self, within_a_function: bool = True) -> Iterator[Seen]:
        """Look at what runs inside."""
        outer, self._seen = self._seen, Seen()
        self._within += within_a_function
        try:
            if self._looking:
                yield self._seen
            else:
                self._looking += 1
                try:
                    with self:
                        yield self._seen
                finally:
                    self._looking -= 1
        finally:
            self._within -= within_a_function
            outer.products |= self._seen.products
            self._seen = outer

    @contextmanager
    def within_a_function(self) -> Iterator[None]:
        """A function that was seen above runs inside."""
        self._within += 1
        try:
            yield
        finally:
            self._within -= 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, count it if it multiplies, and note what its results are."""
        kwargs = kwargs or {}
        look = self._stack.look
        if look is Look.NOTHING:
            return func(*args, **kwargs)
        if isinstance(func, torch._ops.HigherOrderOperator):
            return self._run_parts(func, args, kwargs)
        formula = self._settings.formula_of_function(func) or kernel_formula(func)
        conditional = look is not Look.DYNAMICS and is_conditional(func)
        if formula is None and not conditional:
            if func.has_kernel_for_dispatch_key(_COMPOSITE):
                with self:  # in inference mode, composites come whole
                    return func.decompose(*args, **kwargs)
            return self._pass_on(look, func, args, kwargs)
        with _autograd(), self._stack.aside():
            if formula is not None:
                synapses = formula(*args, **kwargs)
            else:
                found = conditional_synapses(self._origins, func, args, kwargs)
                neuron = self._stack.top.kind is not None
                synapses = without_dynamics(self._origins, found, neuron)
        if not synapses:
            return self._pass_on(look, func, args, kwargs)
        return self._count(func, synapses, args, kwargs)

    def _run_parts(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run an operator of other functions (a branch, a loop), which are seen as they run."""
        parts = {"cond": _branch, "while_loop": _loop}.get(func.__name__)
        if parts is None:
            raise UnknownProductError(self._stack.top, func)
        with self:
            return parts(*args, **kwargs)

    def _count(self, func: Any, synapses: list[Synapses], args: Any, kwargs: Any) -> Any:
        self._seen.products = True
        looked_at_from_here = self._stack.look in (Look.FUNCTIONS, Look.DYNAMICS)
        self.seen_outside |= not self._within and looked_at_from_here
        arguments = tensors((*args, *kwargs.values()))
        self._tally.adopt(self._stack.replaced_parameters(), arguments)
        frame, entered = self._stack.top, []
        with _autograd(), self._stack.aside():
            has_data = self._tally.account(frame, synapses, arguments)
            if has_data and not frame.ignored:
                entered = self._enter(frame, func, synapses)
        with self._stack.accounted():  # to those who see functions, an operator is one
            result = func(*args, **kwargs)
        for line, module, part in entered:
            if len(entered) == 1:
                self._tally.add_biases(line, part, arguments, result)
            self._tally.publish(line, CountedCall(part, op_name(func), module, result))
        origin = DENSE if has_data else self._origins.product_of_weights(arguments)
        for x in tensors([result]):
            self._origins.put(x, origin)
        return result

    def _enter(
        self, frame: Frame, func: Any, synapses: list[Synapses]
    ) -> list[tuple[Any, nn.Module | None, list[Synapses]]]:
        """Enter a call; one that does the work of several layers, with each part under its layer's name."""
        entered = []
        name, kind, module = "", "", None
        for each in synapses:
            parameters = self._tally.parameters(each.operands)
            owner = self._stack.owner(parameters)
            if owner is not None and self._stack.name(owner) and is_pytorchs_layer(owner):
                name, module = self._stack.name(owner), owner
                kind = type(owner).__name__
            elif parameters or not name:
                name = self._tally.name(frame.name, func, parameters)
                kind, module = kind_of_call(func, None), None
            line = self._tally.enter(name, kind, [each])
            entered.append((line, module, [each]))
        return entered

    def _pass_on(self, look: Look, func: Any, args: Any, kwargs: Any) -> Any:
        if look is not Look.DYNAMICS:
            self._check(func, tensors((*args, *kwargs.values())))
        with self._stack.accounted():
            result = func(*args, **kwargs)
        if look is not Look.DYNAMICS and isinstance(result, Tensor | list | tuple):
            self._note(func, args, kwargs, result)
        return result

    def _note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        in_place = bool(args) and result is args[0]
        if in_place and self._within and self._stack.look is Look.FUNCTIONS:
            return  # the function above says what has become of its argument
        with self._stack.aside():
            origin = origin_of_result(FunctionCall(self._origins, func, args, kwargs, result))
        results = tensors([result])
        several = origin if isinstance(origin, list) else [origin] * len(results)
        at = _coming_version(func, args, in_place)
        outside = not self._within and self._stack.look is Look.FUNCTIONS
        for x, its in zip(results, several, strict=False):
            self._origins.put(x, its, at)
            self.seen_outside |= outside and its.kind == "spikes" and not its.is_of_ones()

    def _check(self, func: Any, arguments: list[Tensor]) -> None:
        """Refuse an operator that multiplies data, or that is somebody else's and takes weights with them."""
        data = [x for x in arguments if self._origins.constant(x) is None]
        if not data or self._stack.top.ignored:
            return
        weights = [x for x in arguments if x.numel() > 1 and self._origins.is_parameter(x)]
        if multiplies_in_unknown_ways(func) or (weights and not is_pytorchs_own(func)):
            raise UnknownProductError(self._stack.top, func)


def _coming_version(func: Any, args: Any, in_place: bool) -> int | None:
    """The version of what an operator gave, once autograd, which comes after, has entered changes and views."""
    if not args or not isinstance(args[0], Tensor) or args[0].is_inference():
        return None
    if in_place:
        return args[0]._version + 1
    alias = func._schema.returns[0].alias_info if func._schema.returns else None
    return None if alias is None else args[0]._version


def _branch(condition: Any, yes: Any, no: Any, operands: Any) -> Any:
    return (yes if condition else no)(*operands)


def _loop(condition: Any, body: Any, carried: Any, more: Any) -> Any:
    while condition(*carried, *more):
        carried = body(*carried, *more)
    return carried


class UnknownProductError(NotImplementedError):
    """An operator that multiplies, and that neither a formula above nor one of its own accounts for.

    Args:
        frame: the module that runs.
        func: the operator.
    """

    def __init__(self, frame: Frame, func: Any) -> None:
        where = f"module {frame.name!r}" if frame.name else "the model itself"
        leave_out = f", or ignore=[{frame.name!r}]" if frame.name else ""
        super().__init__(
            f"Monitor: {where} ({type(frame.module).__name__}) runs the operator {func}, which multiplies in a "
            "way that has no formula, so its SynOps are unknown. "
            f"Pass formulas={{torch.ops.{func}: your_formula}}{leave_out}."
        )


_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
_ABOVE = ("AutogradFunctionality", "AutogradOther", "AutogradNestedTensor", "ADInplaceOrView")


def _autograd() -> Any:
    """Autograd, which PyTorch has finished with where operators are seen: counts have a gradient."""
    keys, tls = torch._C.DispatchKey, torch._C._dispatch_tls_local_exclude_set()
    for name in _ABOVE:
        tls = tls - torch._C.DispatchKeySet(getattr(keys, name))
    return torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), tls)
