"""The layers of a module, how they are connected, and the shapes that pass through them."""

from __future__ import annotations

import operator
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from picojoule.convert.graph import ROUNDS, rounds_weights
from picojoule.convert.in_place import IN_PLACE, is_seen_later
from picojoule.convert.nir.padded_pool import PaddedSumPool2d
from picojoule.convert.nir.scale import Scale
from picojoule.convert.observed import BATCH_AND_TIME, observe
from picojoule.convert.own_forward import check_forwards, is_as_torch_made_it
from picojoule.convert.own_thread import OwnThreadTracer
from picojoule.convert.settled import settled
from picojoule.convert.stand_in import StandIn
from picojoule.layers import FlattenTime, Merge, Repeat, UnflattenTime

INPUT, OUTPUT = "input", "output"
_ADDS = operator.add, torch.add, "add", *IN_PLACE
PASSED_THROUGH = (FlattenTime, UnflattenTime, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)


class Asker(NamedTuple):
    """Who follows a network.

    Attributes:
        name: the public function.
        has: what it has layers for, and can do with them.
        advice: what to use in place of a call that it does not know.
    """

    name: str
    has: str
    advice: str


@dataclass(frozen=True)
class TracedCall:
    """One use of a layer: its path in the model and the shapes that went in and came out."""

    path: str
    module: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@dataclass
class Trace:
    """The calls by name, and the edges between those names; what arrives at a call is added up."""

    calls: dict[str, TracedCall] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    result_shape: tuple[int, ...] = ()

    def source_of(self, name: str) -> str:
        """The one node that a node hears; "" if there are several."""
        sources = [a for a, b in self.edges if b == name]
        return sources[0] if len(sources) == 1 else ""


class _Tensor(StandIn):
    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


def _computes_as(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Whether a module is one of these and computes what it does: a class of the user's may compute something else."""
    return any(isinstance(module, k) and type(module).forward is k.forward for k in kinds)


class _LayerTracer(OwnThreadTracer):
    """Stops at layers; time folding and what does nothing leave no trace.

    Attributes:
        stuck: the innermost module whose forward could not be followed.
    """

    stuck: nn.Module | None = None

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """A stand-in for a tensor that tells `x += y` from `x + y`."""
        return _Tensor(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        ours = isinstance(m, Scale | PaddedSumPool2d) or type(m).__module__.startswith(
            "picojoule.layers"
        )
        return ours or is_as_torch_made_it(m)

    def followed(
        self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if _computes_as(m, PASSED_THROUGH):
            return args[0]
        if _computes_as(m, (Repeat,)):
            return m.module(*args, **kwargs)  # type: ignore[operator]
        if _computes_as(m, (Merge,)):
            return operator.add(*args)
        try:
            return super().followed(m, forward, args, kwargs)
        except Exception:
            self.stuck = self.stuck or m
            raise


def trace(asker: Asker, module: nn.Module, sample_data: Tensor, model_name: str = "model") -> Trace:
    """Follow `sample_data` through a copy of the module; the module itself stays untouched.

    Args:
        asker: who asks, and what it cannot do, for messages.
        module: any module of layers and sums.
        sample_data: an input for it, which gives the shapes.
        model_name: name of the call if the module is a single layer.

    Raises:
        NotImplementedError: the module computes with something other than layers and sums, or has a forward that is not its
            class's.
        SampleError: it does not take the sample.
    """
    check_forwards(asker.name, module)
    root = settled(module).eval()
    if _LayerTracer().is_leaf_module(root, "") or isinstance(root, Repeat):
        root = nn.Sequential(OrderedDict({model_name: root}))
    graph = _traced(asker, root)
    paths = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    for path in sorted(filter(lambda path: rounds_weights(root.get_submodule(path)), paths)):
        kind = type(root.get_submodule(path)).__name__
        raise NotImplementedError(f"{asker.name}: layer {path!r} ({kind}) {ROUNDS}")
    observed = observe(asker.name, root, paths, _is_layer, sample_data)
    result = Trace(result_shape=observed.of_result)
    sources: dict[fx.Node, tuple[str, ...]] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            sources[node] = (INPUT,)
        elif node.op == "output":
            result.edges += [(a, OUTPUT) for a in _sources_of(asker, node.args[0], sources)]
        elif node.op == "call_module":
            path = str(node.target)
            name = _free_name(path, result)
            result.calls[name] = TracedCall(
                path, root.get_submodule(path), *observed.of_layers[path].pop(0)
            )
            argument = node.args[0] if node.args else next(iter(node.kwargs.values()), None)
            result.edges += [(a, name) for a in _sources_of(asker, argument, sources)]
            sources[node] = (name,)
        elif _folds_time(node):
            sources[node] = _sources_of(asker, node.args[0], sources)
        elif node.target in (torch.flatten, "flatten"):
            before = _sources_of(asker, node.args[0], sources)
            name = _free_name("flatten", result)
            result.calls[name] = TracedCall(
                name, _flatten_layer(node), *observed.of_flattens.pop(0)
            )
            result.edges += [(a, name) for a in before]
            sources[node] = (name,)
        else:
            sources[node] = _summed(asker, root, node, sources)
    return result


def _folds_time(node: fx.Node) -> bool:
    """Whether a function puts batch and time into one axis, or takes them apart, as FlattenTime and UnflattenTime do."""
    given = node.args[1:] + tuple(node.kwargs.values())
    if node.target in (torch.flatten, "flatten"):
        return given == BATCH_AND_TIME
    return node.target in (torch.unflatten, "unflatten") and given[:1] == (0,)


def _flatten_layer(node: fx.Node) -> nn.Flatten:
    """The layer that does what a call of `torch.flatten` does."""
    options = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | node.kwargs
    return nn.Flatten(**{"start_dim": 0, **options})  # type: ignore[arg-type]


def _is_layer(module: nn.Module, name: str) -> bool:
    """Whether the tracer does not look into a module."""
    return _LayerTracer().is_leaf_module(module, name) and not isinstance(module, Repeat)


def _traced(asker: Asker, root: nn.Module) -> fx.Graph:
    tracer = _LayerTracer()
    try:
        graph = tracer.trace(root)
    except Exception as error:  # a stand-in is not all that a forward may expect
        names = {id(part): name for name, part in root.named_modules()}
        name = names.get(id(tracer.stuck), "")
        raise NotImplementedError(
            f"{asker.name}: the forward of {_part(tracer.stuck or root, name)} cannot be followed, its path depends on "
            f"values or shapes ({error}). Write it as layers called one after the other, neurons as those of picojoule.layers."
        ) from error
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise NotImplementedError(
            f"{asker.name}: {type(root).__name__} takes {len(inputs)} inputs, expected a module of one input."
        )
    return graph


def _part(module: nn.Module, name: str) -> str:
    return f"layer {name!r} ({type(module).__name__})" if name else type(module).__name__


def _caller(root: nn.Module, node: fx.Node) -> str:
    """The module whose forward calls a function."""
    running = list((node.meta.get("nn_module_stack") or {}).values())
    path = running[-1][0] if running else ""
    return _part(root.get_submodule(path), path)


def _sources_of(
    asker: Asker, argument: Any, sources: dict[fx.Node, tuple[str, ...]]
) -> tuple[str, ...]:
    if not isinstance(argument, fx.Node):
        raise NotImplementedError(
            f"{asker.name}: {argument!r} goes where the output of a layer was expected; {asker.has} with "
            "one input and one output, and sums."
        )
    return sources[argument]


def _summed(
    asker: Asker, root: nn.Module, node: fx.Node, sources: dict[fx.Node, tuple[str, ...]]
) -> tuple[str, ...]:
    if node.target not in _ADDS or len(node.args) != 2 or node.kwargs:
        raise NotImplementedError(
            f"{asker.name}: the forward of {_caller(root, node)} calls "
            f"{getattr(node.target, '__name__', node.target)!r}, {asker.advice}"
        )
    modules = dict(root.named_modules(remove_duplicate=False))
    if node.target in IN_PLACE and is_seen_later(node, modules):
        raise NotImplementedError(
            f"{asker.name}: the forward adds to a tensor in place ({node.args[0]} += ...) and uses that tensor, or a view of it, "
            "after that. Write y = x + ..., which leaves x as it is."
        )
    return _sources_of(asker, node.args[0], sources) + _sources_of(asker, node.args[1], sources)


def _free_name(path: str, trace: Trace) -> str:
    name, count = path, 0
    while name in trace.calls or name in (INPUT, OUTPUT):
        count += 1
        name = f"{path}_{count}"
    return name
