"""Which activations of an ANN an integrate-and-fire neuron can stand for, and which it cannot."""

from __future__ import annotations

from torch import fx, nn

from picojoule.layers import NeuromorphicReLU

CONVERTIBLE = (nn.ReLU, NeuromorphicReLU)
_READOUTS = (nn.Softmax, nn.LogSoftmax, nn.Softmax2d)
_REFUSED = (
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.GLU,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Tanh,
    nn.Tanhshrink,
    nn.Hardtanh,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardshrink,
    nn.Softplus,
    nn.Softsign,
    nn.Softshrink,
    nn.Softmin,
    nn.Threshold,
    nn.MultiheadAttention,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.RNNBase,
    nn.RNNCellBase,
)
_MAX_POOLS = (
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
    nn.FractionalMaxPool2d,
    nn.FractionalMaxPool3d,
)
# names of functions and methods, without the underscores of in-place and internal forms
_RELU_CALLS = {"relu"}
_CLAMP_CALLS = {"clamp", "clamp_min", "clip"}
_READOUT_CALLS = {"softmax", "log_softmax", "special_softmax", "special_log_softmax"}
_MAX_CALLS = {
    *("max", "amax", "max_pool1d", "max_pool2d", "max_pool3d", "fractional_max_pool2d"),
    *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "fractional_max_pool3d"),
}
_REFUSED_CALLS = {
    *("relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "silu"),
    *("mish", "glu"),
    *("sigmoid", "logsigmoid", "log_sigmoid", "expit", "special_expit", "tanh", "tanhshrink"),
    *("hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softplus", "softsign", "softshrink"),
    *("softmin", "threshold", "exp", "abs", "maximum", "fmax", "where"),
    *("scaled_dot_product_attention", "multi_head_attention_forward"),
}


def check_convertible(model: nn.Module) -> None:
    """Raise NotImplementedError if a layer computes something that a rate of spikes cannot stand for."""
    for name, module in model.named_modules():
        if isinstance(module, _REFUSED) and not isinstance(module, CONVERTIBLE):
            raise _refusal(f"layer {name!r} ({type(module).__name__})")
        if isinstance(module, _MAX_POOLS):
            raise _refusal_of_max(f"layer {name!r} ({type(module).__name__})")


def relu_calls(graph: fx.Graph) -> list[fx.Node]:
    """The calls of functions that rectify, in order.

    Raises:
        NotImplementedError: a function is called that a rate of spikes cannot stand for.
    """
    found = []
    for node in graph.nodes:
        name = _function_name(node)
        if name in _RELU_CALLS or (name in _CLAMP_CALLS and _clamps_at_zero(node)):
            found.append(node)
        elif name in _REFUSED_CALLS or (name in _CLAMP_CALLS):
            raise _refusal(f"the forward pass calls {name}() (node {node.name!r}), which")
        elif name in _MAX_CALLS:
            raise _refusal_of_max(f"the forward pass calls {name}() (node {node.name!r}), which")
        elif name in _READOUT_CALLS and not _is_output(node):
            raise _refusal(f"the forward pass calls {name}() before its end, which")
    return found


def check_readouts(graph: fx.Graph, modules: dict[str, nn.Module]) -> None:
    """Raise NotImplementedError if a softmax layer is anything but the model's last."""
    for node in graph.nodes:
        is_readout = node.op == "call_module" and isinstance(modules.get(node.target), _READOUTS)
        if is_readout and not _is_output(node):
            raise _refusal(f"layer {node.target!r}, a softmax before the end,")


def is_in_place(node: fx.Node) -> bool:
    """Whether a function that rectifies overwrites its input."""
    if _function_name(node) not in _RELU_CALLS | _CLAMP_CALLS:
        return False
    name = str(node.target if node.op == "call_method" else node.target.__name__)  # type: ignore[union-attr]
    by_argument = _function_name(node) == "relu" and (node.args[1:] or (False,))[0]
    return name.partition(".")[0].endswith("_") or bool(node.kwargs.get("inplace", by_argument))


def _function_name(node: fx.Node) -> str | None:
    if node.op == "call_method":
        return str(node.target).strip("_")
    if node.op == "call_function":
        name = str(getattr(node.target, "__name__", ""))
        return name.partition(".")[0].strip("_")  # "relu.default" is an overload
    return None


def _clamps_at_zero(node: fx.Node) -> bool:
    lowest = node.args[1] if len(node.args) > 1 else node.kwargs.get("min")
    highest = node.args[2] if len(node.args) > 2 else node.kwargs.get("max")
    return isinstance(lowest, int | float) and lowest == 0 and highest is None


def _is_output(node: fx.Node) -> bool:
    return all(user.op == "output" for user in node.users)


def _refusal(what: str) -> NotImplementedError:
    return NotImplementedError(
        f"from_model: {what} has no spiking counterpart: only ReLUs do (nn.ReLU, NeuromorphicReLU, relu(), "
        "clamp(min=0)). Train the network with a ReLU in its place, or replace the layer by one of your own with "
        "picojoule.convert.replace_module first."
    )


def _refusal_of_max(what: str) -> NotImplementedError:
    return NotImplementedError(
        f"from_model: {what} takes a maximum, and the largest rate is not the rate of the largest spikes: of two "
        "neurons that fire in turn at 0.5, a maximum fires at 1. Train the network with an average or a SumPool2d in "
        "its place, or put a picojoule.layers.SpikingMaxPooling2dLayerSqueeze there first."
    )
