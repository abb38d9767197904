"""The order in which a model calls its layers, found by torch.fx on a throw-away copy."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from torch import fx, nn

from picojoule.budget.masks import is_plain
from picojoule.convert.in_place import ASSIGNING
from picojoule.convert.own_forward import is_as_torch_made_it
from picojoule.convert.own_thread import OwnThreadTracer
from picojoule.convert.settled import copied
from picojoule.convert.stand_in import StandIn
from picojoule.layers import Repeat, StatefulLayer

AFFINE = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
)
ROUNDS = (
    "is of torch.ao and rounds its weights anew in each pass, so they are not those that it computes with. Put the rounded ones into a "
    "plain layer of torch.nn: plain.weight.data = layer.weight_fake_quant(layer.weight), or layer.get_weight() of a reference layer."
)


class _Tensor(StandIn):
    """A stand-in for a tensor that tells `x += y` from `x + y`."""


def _assigning(operation: Callable[..., Any]) -> Callable[[fx.Proxy, Any], fx.Proxy]:
    def record(self: fx.Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operation, (self, other), {})

    return record


for _operation in ASSIGNING:
    setattr(_Tensor, f"__{_operation.__name__}__", _assigning(_operation))


class _Tracer(OwnThreadTracer):
    # without arguments too, as torch calls it to unpickle a GraphModule
    def __init__(self, is_opaque: Callable[[nn.Module], bool] = lambda _: False) -> None:
        super().__init__()
        self._is_opaque = is_opaque

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """A stand-in for a tensor."""
        return _Tensor(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        if isinstance(m, nn.Sequential | Repeat):
            return self._is_opaque(m)
        ours = isinstance(m, StatefulLayer) or type(m).__module__.startswith("picojoule.layers.")
        return ours or self._is_opaque(m) or is_as_torch_made_it(m)

    def followed(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if isinstance(m, Repeat) and type(m).forward is Repeat.forward and not self._is_opaque(m):
            # its reshaping needs numbers, and does not matter here
            return m.module(*args, **kwargs)
        if self._is_outside(m):
            return forward(*args, **kwargs)
        return super().followed(m, forward, args, kwargs)

    def _is_outside(self, m: nn.Module) -> bool:
        """Whether a layer is no submodule but computes by what it is given alone, as a ReLU in a plain list.

        What it calls is then in the graph in its place. What holds values could change them while it is followed.
        """
        try:
            self.path_of_module(m)
        except NameError:
            holds_values = any(True for _ in (*m.parameters(), *m.buffers()))
            return not (holds_values or type(m).__module__.startswith("picojoule."))
        return False


def call_graph(
    where: str, model: nn.Module, is_opaque: Callable[[nn.Module], bool] = lambda _: False
) -> fx.Graph:
    """The calls that a forward pass of the model makes.

    Args:
        where: name of the public function, for messages.
        model: any module; nested containers are looked into, as are layers with a forward pass of their own; those of torch and of Picojoule are not.
        is_opaque: other modules whose inside does not matter, and so need not be traceable.

    Raises:
        NotImplementedError: what the forward pass does depends on the data, so that torch.fx cannot
            follow it.
    """
    double = copied(model)
    for module in double.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    # tracing runs the root itself; inside a container it is a call like any other
    container = nn.Sequential(double)
    try:
        graph = _Tracer(is_opaque).trace(container)
    except Exception as error:  # the model's own code runs on stand-ins and may raise anything
        raise NotImplementedError(
            f"{where}: torch.fx cannot follow the forward pass of {type(model).__name__} ({error}). Write it "
            "without branches on the data, or hand over its traceable parts one by one."
        ) from error
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr"):
            container_name, _, name = str(node.target).partition(".")
            if node.op == "get_attr":
                value = attrgetter(str(node.target))(container)
                node.meta["dtype"] = getattr(value, "dtype", None)
                if not name:  # a tensor made in the forward pass
                    node.meta["constant"] = value
            node.target = name or (container_name if node.op == "get_attr" else "")
    return graph


def rounds_weights(layer: nn.Module | None) -> bool:
    """Whether a layer is one of quantisation-aware training, which rounds its weights anew in each pass.

    Example:
        >>> rounds_weights(nn.Linear(2, 3))
        False
    """
    return isinstance(layer, AFFINE) and type(layer).__module__.startswith("torch.ao.")


def check_own_weights(where: str, model: nn.Module) -> None:
    """Raise ValueError if a layer's weights are shared, computed from other parameters, or rounded in each pass."""
    owners: dict[int, str] = {}
    for prefix, module in model.named_modules():
        if isinstance(module, AFFINE) and not is_plain(module):
            raise ValueError(
                f"{where}: the weight of {prefix!r} is computed from other parameters (weight_norm, spectral_norm, ...), so "
                "a change to it would be lost. Make that permanent first: "
                "torch.nn.utils.parametrize.remove_parametrizations or remove_weight_norm."
            )
        if rounds_weights(module):
            raise ValueError(f"{where}: {prefix!r} ({type(module).__name__}) {ROUNDS}")
        for own, parameter in module.named_parameters(prefix, recurse=False):
            if owners.setdefault(id(parameter), own) != own:
                raise ValueError(
                    f"{where}: {own!r} and {owners[id(parameter)]!r} are one and the same parameter; give each "
                    "layer its own."
                )
