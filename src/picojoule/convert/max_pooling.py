"""Max pooling of rates: what stands for it, where, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import fx, nn

from picojoule.convert.commuting import function_name
from picojoule.layers import StatefulLayer

MaxPooling = Literal["spiking", "each_step"] | None
MakePool = Callable[..., StatefulLayer]

MAX_POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.FractionalMaxPool2d, nn.FractionalMaxPool3d),
)
POOL_CALLS = frozenset(
    f"{kind}max_pool{dims}d{end}"
    for kind in ("", "adaptive_", "fractional_")
    for dims in (1, 2, 3)
    for end in ("", "_with_indices")
)
MAX_CALLS = POOL_CALLS | {"max", "amax"}
_ARGUMENTS = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


def max_pool_calls(graph: fx.Graph) -> list[fx.Node]:
    """The calls of functions that pool by maximum, in order."""
    return [node for node in graph.nodes if function_name(node) in POOL_CALLS]


def spiking_pool_of_layer(name: str, pool: nn.Module, make_pool: MakePool) -> StatefulLayer:
    """The spiking maximum for an `nn.MaxPool2d`."""
    arguments = {argument: getattr(pool, argument) for argument in _ARGUMENTS}
    return _spiking_pool(f"layer {name!r} (MaxPool2d)", arguments, make_pool).train(pool.training)


def spiking_pool_of_call(node: fx.Node, make_pool: MakePool) -> StatefulLayer:
    """The spiking maximum for a call of `max_pool2d`."""
    what = f"the forward pass calls {function_name(node)}() (node {node.name!r}), which"
    if function_name(node) != "max_pool2d":
        raise refusal_of_max(what)
    given: dict[str, Any] = dict(zip(_ARGUMENTS, node.args[1:], strict=False)) | node.kwargs
    return _spiking_pool(what, given, make_pool)


def refusal_of_max(what: str) -> NotImplementedError:
    """What the largest rate is not, and the ways on."""
    return NotImplementedError(
        f"from_model: {what} takes a maximum, and the largest rate is not the rate of the largest spikes: of two "
        "neurons that fire in turn at 0.5, a maximum fires at 1. For an nn.MaxPool2d or max_pool2d() without dilation, "
        "ceil_mode and return_indices, call picojoule.from_model(model, ..., max_pooling='spiking'): the output fires as "
        "often as the foremost input of its window. Otherwise train the network with an average or a SumPool2d in its place."
    )


def _spiking_pool(what: str, given: dict[str, Any], make_pool: MakePool) -> StatefulLayer:
    plain = given.get("dilation", 1) in (1, (1, 1), [1, 1])
    if not plain or given.get("ceil_mode") or given.get("return_indices"):
        raise refusal_of_max(what)
    padding = given.get("padding", 0)
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    stride = given.get("stride")  # None or empty: the window's size
    return make_pool(
        pool_size=given["kernel_size"],
        strides=stride if stride else None,
        padding=(horizontal, horizontal, vertical, vertical),
        exact=True,
    )
