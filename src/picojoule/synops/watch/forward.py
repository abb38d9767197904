"""Follows one forward pass: which function runs in which module, with which spikes.

A mode sees every function of PyTorch, and a second one the operators below; hooks on all modules,
there only while the pass runs, tell in which module. Nothing is added to the model.
"""

# More than 250 lines: one forward pass; its hooks and the stack of what is looked at are one state.

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import (
    TorchFunctionMode,
    _get_current_function_mode,
    _pop_mode,
    _push_mode,
)

from picojoule.layers import FlattenTime, HookHandles, UnflattenTime
from picojoule.layers.retime import Retime
from picojoule.synops.watch.detail import RateDetails
from picojoule.synops.watch.doubts import (
    doubts,
    left_for_later,
    left_pytorch,
    replaced_by_hooks,
    turned_dense,
)
from picojoule.synops.watch.function_call import tensors
from picojoule.synops.watch.functions import FunctionWatch
from picojoule.synops.watch.known import KnownCalls
from picojoule.synops.watch.ledger import Given, Ledger
from picojoule.synops.watch.modules import Frame, Look, ModuleStack
from picojoule.synops.watch.nested import nested_tensors, refuse_nested, shape_of
from picojoule.synops.watch.neurons import Neurons
from picojoule.synops.watch.origin import DENSE
from picojoule.synops.watch.origins import Origins
from picojoule.synops.watch.pass_size import PassSize
from picojoule.synops.watch.published import CountedCall
from picojoule.synops.watch.rules.units import uniform
from picojoule.synops.watch.running import running
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.spiking import PASSING, carries_state, passes_spikes_on
from picojoule.synops.watch.step_count import OF_SEQUENCES, StepCount
from picojoule.synops.watch.tally import Tally
from picojoule.synops.watch.uncompiled import SilencedAdvice
from picojoule.synops.watch.witness import Witness

current_mode: Callable[[], Any] = _get_current_function_mode
_leave_innermost: Callable[[], Any] = _pop_mode
_enter: Callable[[Any], None] = _push_mode
_hooks_after: Any = torch_module._global_forward_hooks  # an OrderedDict
# whose input tells more than their output, and the names it has there
_ASKED_FOR_THEIR_INPUT = (*PASSING, FlattenTime, UnflattenTime, *OF_SEQUENCES)
_NAMES_OF_INPUTS = ("data", "input", "query")


class WatchedForward:
    """One forward pass of a model under watch.

    Args:
        root: the model.
        settings: what the Monitor was asked to do.
        known: what earlier passes have shown to hide nothing.
        before: the origins of earlier passes, where this one goes on with what they left.
    """

    def __init__(
        self,
        root: nn.Module,
        settings: Settings,
        known: KnownCalls,
        before: Origins | None = None,
    ) -> None:
        parameters = {id(p): p for p in root.parameters()}
        constants = parameters | _constant_buffers(root, settings)
        self._parameters, self._constants = parameters, constants
        self.root, self.settings, self.ledger = root, settings, Ledger()
        self.step_count = StepCount(settings.time_axis, settings.num_timesteps, settings.samples)
        self.stack = ModuleStack(root, settings)
        self.origins = Origins(constants, settings.inputs, before, parameters)
        self._fired = RateDetails() if {"sample", "step"} & {*settings.detail} else None
        self.neurons = Neurons(
            settings.learned, self.origins, self.ledger, self.step_count, self._fired
        )
        self.tally = Tally(settings, self.origins, self.ledger, self.neurons)
        self._inputs: list[Tensor] = []
        self.elsewhere: dict[str, nn.Module] = {}  # ran in another thread
        self.lost = False  # modules ended, and no hook has told of it
        self._has_returned = False
        self._known = known
        known.effects.begin(constants, len(parameters))
        self.origins.thresholds = known.effects.thresholds
        self._witness = Witness(settings, self.stack, self.origins, self.tally)
        self._functions = FunctionWatch(
            settings, self.stack, self.origins, self.tally, self._witness, known, self.neurons
        )
        self._seeing = False  # whether the mode is on that sees functions
        self._below = list[tuple[Frame, ExitStack]]()  # modules watched by the witness alone
        self._whole = ExitStack()
        self._hooked: set[int] = set()
        self._before_hooks: list[Any] = []  # outputs of modules whose hooks run now
        self._named: dict[int, list[Tensor]] = {}  # what modules are handed by keyword, by id
        self._replaced: dict[str, None] = {}  # names of modules whose hooks gave another output
        self._thread, self._running = threading.get_ident(), running()
        self._handles = HookHandles()

    # ---- the pass

    def start(self, values: list[Any]) -> None:
        """Begin, as the model is called with these arguments."""
        self._inputs = inputs = nested_tensors(values)
        refuse_nested(inputs)
        self.step_count.see_input(values)
        self.origins.give(inputs)
        self._running.begin(self)
        self._handles.add(SilencedAdvice(self.root))
        self._handles.add(torch_module.register_module_forward_pre_hook(self._before))
        # without keyword arguments, whose hooks PyTorch forgets to remove
        after = torch_module.register_module_forward_hook(self._after, always_call=True)
        if len(self._running.passes) > 1:  # of several Monitors, what began last ends first
            _hooks_after.move_to_end(after.id, last=False)
        self._handles.add(after)
        self._hook_modules()
        if self._known.asks_for_witness(self.root, inputs):
            self._whole.enter_context(self._witness.looking(within_a_function=False))
        self._push(self.root, inputs)

    def _hook_modules(self) -> None:
        """Hook single modules, where the hooks on all of them are not told enough."""
        fused = set[int]()  # runs as one kernel for inference, but not with hooks
        for module in self.root.modules():
            if isinstance(module, nn.TransformerEncoderLayer):
                fused |= {id(part) for part in module.modules()}
            if module is self.root:
                continue
            if module._forward_hooks:
                last = module.register_forward_hook(self._after_hooks, always_call=True)
                self._handles.add(last)
                self._hooked.add(id(module))
            if self.stack.formula(module) is not None:
                hook = module.register_forward_hook(self._after_formula, with_kwargs=True)
                self._handles.add(hook)
            if isinstance(module, _ASKED_FOR_THEIR_INPUT) and id(module) not in fused:
                named = module.register_forward_pre_hook(self._by_keyword, with_kwargs=True)
                self._handles.add(named)

    def returned(self) -> None:
        """The model has come to its end; its own hooks follow."""
        self._has_returned = len(self.stack) == 1
        self.stack.push_hooks_of(self.root)
        self._look()

    def close(self) -> None:
        """Look no more, and leave nothing behind; more often than once does no harm."""
        if self._seeing:
            _take_off(self._functions)
            self._seeing = False
        while self._below:
            self._below[-1][1].close()
            self._below.pop()
        self._whole.close()
        self._handles.remove()
        self._running.end(self)

    def stop(self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """End, as the model returns or fails (with no output)."""
        self.close()
        self._known.hides_products |= self._witness.seen_outside
        if isinstance(output, Generator):
            self.ledger.notes |= left_for_later()
        self.lost = output is not None and not self._has_returned
        if output is not None and not self.lost:
            self.stack.pop()  # the model's own hooks
            root = self.stack.top
            self._leave((*args, *kwargs.values()), output)
            if self.stack.formula(self.root) is not None:
                with self.stack.aside():
                    self._count_module(self.root, root, args, kwargs, output)
        self.stack.clear()

    def finish(self, size: PassSize | None = None) -> Ledger:
        """The results, after the end.

        Args:
            size: samples and usual time steps, where the layers have others; None to find out.

        Raises:
            ValueError: samples and time steps cannot be told.
        """
        self.neurons.finish(size)
        self.tally.settle()
        size = size or self.step_count.result()
        self.tally.settle_size(size, self.step_count.steps_of_layers - {size.num_timesteps})
        self.ledger.passes.append(size)
        self.ledger.inputs = [Given(shape_of(x), self._are_spikes(x)) for x in self._inputs]
        self.ledger.notes |= doubts(self.neurons, self.step_count, self.origins)
        self.ledger.notes |= self.tally.lost_gradients.notes()
        self.ledger.notes |= replaced_by_hooks(self._replaced)
        self.ledger.notes |= left_pytorch(self._functions.left)
        self.ledger.turned = self.tally.turned_dense(self.settings.learned.heard)
        self.ledger.notes |= turned_dense(self.ledger.turned)
        self.settings.learned.states |= self._left_in_buffers()
        self.settings.learned.complete = True
        if self.tally.details is not None:
            self.ledger.details = self.tally.details.result(size, self.step_count.time_first)
        if self._fired is not None:
            self.ledger.rate_details = self._fired.result(size, self.step_count.time_first)
        return self.ledger

    def _left_in_buffers(self) -> set[str]:
        """Names of buffers that hold spikes of this pass, so of the next one's first step."""
        found = set[str]()
        for name, module in self.root.named_modules():
            for key, buffer in module._buffers.items():
                origin = None if buffer is None else self.origins.known(buffer)
                if origin is not None and origin.kind == "spikes" and not origin.is_without_data():
                    found.add(_buffer(name, key))
        return found

    def _are_spikes(self, x: Tensor) -> Tensor | bool | None:
        """What an input was taken for; None if no call asked."""
        origin = self.origins.unjudged(x)
        if origin is None or origin.kind not in ("spikes", "dense"):
            return None
        return origin.kind == "spikes" if origin.whole is None else origin.whole

    # ---- hooks on all modules

    def _before(self, module: nn.Module, args: Any) -> None:
        if threading.get_ident() == self._thread:
            self._push(module, tensors(args))
        elif self.stack.has(module) and not running().passes:
            self.elsewhere[self.stack.name(module)] = module

    def _by_keyword(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        """A module is called that may get its input by name, of which the hooks on all modules are not told."""
        given = tensors(kwargs.get(name) for name in _NAMES_OF_INPUTS)
        if given and not tensors(args) and threading.get_ident() == self._thread:
            self._named[id(module)] = given
            self.step_count.see_module(module, given[0])

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        if len(self.stack) == 1:
            self.returned()
            return
        self._leave(args, output)
        if id(module) in self._hooked:
            self.stack.push_hooks_of(module)
            self._before_hooks.append(output)
        self._look()

    def _after_hooks(self, module: nn.Module, _: Any, output: Any) -> None:
        """What a module's hooks computed for themselves is over."""
        if self.stack.top.module is module:
            self.stack.pop()
            if output is not self._before_hooks.pop() and _has_hooks_of_the_users(module):
                self._replaced[self.stack.name(module)] = None
            self._look()

    def _after_formula(
        self, module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any
    ) -> None:
        parent = self.stack.top
        if parent.look is not Look.NOTHING:
            with self.stack.aside():
                self._count_module(module, parent, args, kwargs, output)

    # ---- what is looked at

    def _look(self) -> None:
        """Leave the stack of modes where functions are not looked at: a neuron calls thousands."""
        self._look_at_functions(self.stack.top.look is Look.FUNCTIONS)

    def _look_at_functions(self, seeing: bool) -> None:
        if seeing and not self._seeing:
            self._functions.__enter__()  # type: ignore[no-untyped-call]
            self._seeing = True
        elif self._seeing and not seeing and current_mode() is self._functions:
            self._functions.__exit__(None, None, None)
            self._seeing = False

    def _push(self, module: nn.Module, inputs: list[Tensor]) -> None:
        parent = self.stack.top if len(self.stack) else None
        frame = self.stack.push(module)
        if not self.stack.has(module):
            self._adopt(module)
        if parent is not None and parent.look is Look.DYNAMICS:
            self._feed(frame, inputs)
        self.neurons.enter(module, frame.kind, inputs)
        if inputs:
            self.step_count.see_module(module, inputs[0])
        if frame.kind is not None and frame.name not in self.ledger.carried:
            with self.stack.aside():
                self.ledger.carried[frame.name] = carries_state(module)
        self._look()
        if frame.look is Look.KERNELS and self._known.mode != "off":
            below = ExitStack()
            below.enter_context(self._witness.looking())
            self._below.append((frame, below))

    def _adopt(self, module: nn.Module) -> None:
        """Take the parameters of a module that the model does not list, as one in a plain list, for what they are."""
        own = {id(p): p for p in module._parameters.values() if p is not None}
        self._parameters |= own
        self._constants |= own

    def _feed(self, frame: Frame, inputs: list[Tensor]) -> None:
        """A neuron in which nobody looks hands these to a layer inside it."""
        if frame.look is not Look.DYNAMICS or self.stack.formula(frame.module) is not None:
            with self.stack.aside():
                self.neurons.feed(inputs)

    def _leave(self, args: Any, output: Any) -> None:
        frame = self.stack.pop()
        if self._below and self._below[-1][0] is frame:
            self._below.pop()[1].close()
        outer = self.stack.top.look if len(self.stack) else Look.FUNCTIONS
        inputs = tensors(args) or self._named.pop(id(frame.module), [])
        passes_on = frame.kind is None and passes_spikes_on(frame.module)
        with self.stack.aside():
            self.neurons.leave(frame.name, frame.module, frame.kind, inputs, output)
            if output is None:  # it failed
                return
            retimes = isinstance(frame.module, Retime)  # in a hook, where else nothing is looked at
            if passes_on and (retimes or outer in (Look.FUNCTIONS, Look.KERNELS)):
                self.origins.put(output, uniform(self.origins.of(inputs[0])))
        if inputs and isinstance(frame.module, FlattenTime | UnflattenTime):
            self.step_count.see_reshape(frame.module, inputs[0])

    def _count_module(
        self, module: nn.Module, parent: Frame, args: Any, kwargs: Any, output: Any
    ) -> None:
        formula = self.stack.formula(module)
        assert formula is not None
        self.tally.counted |= {id(p) for p in module.parameters()}
        name = self.stack.name(module)
        if not (parent.ignored or name in self.settings.ignore):
            synapses = formula(module, *args, **kwargs)
            line = self.tally.enter(name, type(module).__name__, synapses)
            self.tally.publish(line, CountedCall(synapses, "formula", None, output))
        for x in tensors([output]):
            if self.origins.known(x) is None:
                self.origins.put(x, DENSE)


def _take_off(mode: TorchFunctionMode) -> None:
    """Leave a mode, whichever others were entered since."""
    above = list[Any]()
    while current_mode() is not None and (top := _leave_innermost()) is not mode:
        above.append(top)
    for each in reversed(above):
        _enter(each)


def _has_hooks_of_the_users(module: nn.Module) -> bool:
    """Whether hooks of the user's may have changed an output: training's own, which change time steps, may have as well."""
    makers = [getattr(hook, "__module__", None) or "" for hook in module._forward_hooks.values()]
    if any(maker.startswith("picojoule.training") for maker in makers):
        return False
    return any(maker.partition(".")[0] not in ("torch", "picojoule") for maker in makers)


def _constant_buffers(root: nn.Module, settings: Settings) -> dict[int, Tensor]:
    found = dict[int, Tensor]()
    for name, module in root.named_modules():
        if module._buffers and not settings.keeps_state(name, module):
            found |= {
                id(buffer): buffer
                for key, buffer in module._buffers.items()
                if buffer is not None and _buffer(name, key) not in settings.learned.states
            }
    return found


def _buffer(module: str, name: str) -> str:
    return f"{module}.{name}".lstrip(".")
