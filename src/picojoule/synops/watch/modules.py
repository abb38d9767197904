"""Which module of a forward pass is running, and how closely it is looked at."""

# More than 250 lines: the stack of running modules, and the contexts that are entered on it at every call.

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from picojoule.synops.formulas import Formula
from picojoule.synops.watch.names import is_pytorchs_layer
from picojoule.synops.watch.running import Running, running
from picojoule.synops.watch.settings import Settings
from picojoule.synops.watch.spiking import Spiking, passes_spikes_on

# PyTorch runs these by one kernel for inference, but not while a mode looks at its functions
_FUSED_FOR_INFERENCE = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)


class Look(Enum):
    """What is looked at while a module runs."""

    FUNCTIONS = auto()  # PyTorch's functions; what they hide from view is left to the witness
    KERNELS = auto()  # the operators below them, as no function shows what happens
    DYNAMICS = auto()  # a neuron's own arithmetic: only products of matrices are of interest
    NOTHING = auto()  # a formula of the user's counts it whole, or it only passes spikes on


class Frame(NamedTuple):
    """A module that is running, and how it is watched."""

    name: str
    module: nn.Module
    kind: Spiking | None
    look: Look
    ignored: bool


class ModuleStack:
    """The modules that are running, the innermost last.

    Args:
        root: the model.
        settings: what the Monitor was asked to do.
    """

    def __init__(self, root: nn.Module, settings: Settings) -> None:
        self._settings = settings
        self._frames: list[Frame] = []
        self._hidden = 0
        self._running = running()
        self._accounted, self._aside = Accounted(self), Aside(self._running)
        self._kinds: dict[int, Spiking | None] = {}
        self._names = {id(m): name for name, m in root.named_modules()}
        self._owners: dict[int, nn.Module] | None = None
        self._parameters = {
            id(m): dict(m._parameters.items()) for m in root.modules() if m._parameters
        }
        self._pushed: dict[
            tuple[int, int], tuple[Frame, Frame]
        ] = {}  # by module and parent, which are held
        self.called: dict[str, nn.Module] = {}

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def top(self) -> Frame:
        """The module that runs now."""
        return self._frames[-1]

    @property
    def look(self) -> Look:
        """What is looked at now."""
        if self._hidden or self._running.asides or not self._frames:
            return Look.NOTHING
        return self._frames[-1].look

    def push(self, module: nn.Module) -> Frame:
        """A module begins."""
        parent = self._frames[-1] if self._frames else None
        site = id(module), id(parent)
        if site in self._pushed:
            frame = self._pushed[site][0]
        else:
            frame = self._frame(module, parent)
            if parent is not None and self._stays(module):
                self._pushed[site] = frame, parent
        self._frames.append(frame)
        if not frame.ignored:
            self.called[frame.name] = module
        return frame

    def _frame(self, module: nn.Module, parent: Frame | None) -> Frame:
        name = self._name(module, parent)
        kind = self._kind_of(name, module)
        ignored = (parent is not None and parent.ignored) or name in self._settings.ignore
        return Frame(name, module, kind, self._look_at(module, kind, parent), ignored)

    def _stays(self, module: nn.Module) -> bool:
        """Whether a module is looked at in one way throughout the pass."""
        return self._settings.learned.complete and not isinstance(module, _FUSED_FOR_INFERENCE)

    def push_hooks_of(self, module: nn.Module) -> None:
        """The hooks of a module begin: what they compute for themselves is no part of the model."""
        self._frames.append(Frame("", module, None, Look.NOTHING, True))

    def pop(self) -> Frame:
        """The innermost module ends."""
        return self._frames.pop()

    def clear(self) -> None:
        """All have ended."""
        self._frames.clear()

    def accounted(self) -> Accounted:
        """A context in which what runs has been counted as a whole."""
        return self._accounted

    def aside(self) -> Aside:
        """A context for the watch's own arithmetic, which no Monitor counts, and which the model must not notice."""
        return self._aside

    def hide(self, by: int) -> None:
        """Enter (1) or leave (-1) a context in which nothing is looked at."""
        self._hidden += by

    def has(self, module: nn.Module) -> bool:
        """Whether the module is one of the model's."""
        return id(module) in self._names

    def name(self, module: nn.Module) -> str:
        """Qualified name of a module; one that was made on the way goes by its caller and type."""
        return self._name(module, self._frames[-1] if self._frames else None)

    def formula(self, module: nn.Module) -> Formula | None:
        """The formula for a module as a whole; None to look inside."""
        return self._settings.formula_of(module)

    def replaced_parameters(self) -> Iterator[tuple[Tensor, int]]:
        """Parameters of the running module that stand in for others, and the ids of those others.

        Sharded models gather theirs while they run, and `torch.func.functional_call` puts in others.
        """
        module = self._frames[-1].module
        before = self._parameters.get(id(module), {})
        for name, now in module._parameters.items():
            own = before.get(name)
            if now is not own and now is not None and own is not None:
                yield now, id(own)

    def owns(self, module: nn.Module, parameters: frozenset[int]) -> bool:
        """Whether a call with these parameters, given by their ids, is the op of a layer of PyTorch's."""
        own = self._parameters.get(id(module), module._parameters).values()
        return any(id(p) in parameters for p in own) and is_pytorchs_layer(module)

    def owner(self, parameters: frozenset[int]) -> nn.Module | None:
        """The module that holds one of these parameters, given by their ids."""
        if self._owners is None:
            self._owners = {
                id(p): module
                for called in self.called.values()
                for module in called.modules()
                for p in _parameters_at_work(module)
            }
        return next((self._owners[i] for i in parameters if i in self._owners), None)

    def _kind_of(self, name: str, module: nn.Module) -> Spiking | None:
        if not self._settings.learned.complete:
            return self._settings.kind_of(name, module)
        if id(module) not in self._kinds:
            self._kinds[id(module)] = self._settings.kind_of(name, module)
        return self._kinds[id(module)]

    def _name(self, module: nn.Module, parent: Frame | None) -> str:
        name = self._names.get(id(module))
        if name is not None or parent is None:
            return name or ""
        return f"{parent.name}.{type(module).__name__}".lstrip(".")

    def _look_at(self, module: nn.Module, kind: Spiking | None, parent: Frame | None) -> Look:
        look = Look.FUNCTIONS if parent is None else parent.look
        if look is Look.DYNAMICS and holds_weights(module):
            look = Look.FUNCTIONS
        if look is Look.NOTHING or look is Look.DYNAMICS:
            return look
        if self.formula(module) is not None or passes_spikes_on(module):
            return Look.NOTHING
        if kind is not None and kind.closed:
            return Look.DYNAMICS
        return Look.KERNELS if shows_no_functions(module) else look


class Accounted:
    """Entered around what has been counted as a whole; a class, as it is entered at every call."""

    def __init__(self, stack: ModuleStack) -> None:
        self._stack = stack

    def __enter__(self) -> None:
        self._stack.hide(1)

    def __exit__(self, *_: object) -> None:
        self._stack.hide(-1)


class Aside:
    """Entered around the watch's own arithmetic: no Monitor looks at it.

    Checkpointing, for example, compares the tensors that a first and a second run save. Those that are
    saved for a count are hidden from it.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._unsaved: list[bool] = []

    def __enter__(self) -> None:
        self._running.asides += 1
        unsaved = torch.is_grad_enabled() and _somebody_follows_saving()
        self._unsaved.append(unsaved)
        if unsaved:
            torch._C._autograd._push_saved_tensors_default_hooks(_itself, _itself)

    def __exit__(self, *_: object) -> None:
        if self._unsaved.pop():
            torch._C._autograd._pop_saved_tensors_default_hooks()
        self._running.asides -= 1


_autograd = vars(torch._C._autograd)
_followers = _autograd.get("_top_saved_tensors_default_hooks")
_saving_can_be_followed = _autograd["_saved_tensors_hooks_is_enabled"]  # not within torch.func.grad


def _somebody_follows_saving() -> bool:
    if _followers is not None and _followers(True) is None:
        return False
    return bool(_saving_can_be_followed())  # PyTorch before 2.7 cannot be asked: then somebody may


def shows_no_functions(module: nn.Module) -> bool:
    """Whether it runs as a script, or would run otherwise if somebody looked at its functions."""
    if isinstance(module, torch.jit.ScriptModule):
        return True
    if not isinstance(module, _FUSED_FOR_INFERENCE):
        return False
    asked: nn.Module = module
    if isinstance(module, nn.TransformerEncoder) and len(module.layers):
        asked = module.layers[0]  # an encoder asks its first layer, whatever mode it is in itself
    if asked.training:
        return False
    return not (torch.is_grad_enabled() and any(p.requires_grad for p in module.parameters()))


def holds_weights(module: nn.Module) -> bool:
    """Whether synapses may hide in a module inside a neuron: a parameter of more than one value."""
    return any(parameter.numel() > 1 for parameter in module.parameters())


def _parameters_at_work(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that the module's own call multiplies by; attention keeps its last weight in a layer that is never called."""
    own = [p for p in module._parameters.values() if p is not None]
    if isinstance(module, nn.MultiheadAttention):
        return [*own, *module.out_proj.parameters()]
    holder = NonDynamicallyQuantizableLinear, nn.ParameterList, nn.ParameterDict
    return [] if isinstance(module, holder) else own


def _itself(x: Tensor) -> Tensor:
    return x
