"""What commutes with rates: the layers and functions that a conversion lets through as they are.

    mean over time of f(x[t]) = f(mean over time of x[t])

holds for every x only if f is affine in what depends on the network's input. That is the rule: what is
known to be affine is named here, and everything else is refused.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Collection

import torch
from torch import fx, nn


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_CONTAINERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)
_PARAMETERS = (nn.ParameterList, nn.ParameterDict)
_WEIGHTED = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Embedding),
    *(nn.LazyLinear, nn.LazyConv1d, nn.LazyConv2d, nn.LazyConv3d),
    *(nn.LazyConvTranspose1d, nn.LazyConvTranspose2d, nn.LazyConvTranspose3d),
)
# affine with the running statistics, which is how a trained network computes
_BATCH_NORMS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.LazyBatchNorm1d, nn.LazyBatchNorm2d, nn.LazyBatchNorm3d),
)
_DROPOUTS = (
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.AlphaDropout, nn.FeatureAlphaDropout),
)
_AVERAGES = (
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
)
_PADS = (
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    *(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d),
    *(nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    *(nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    *(nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
)
_MOVES = (
    *(nn.Identity, nn.Flatten, nn.Unflatten, nn.Fold, nn.Unfold),
    *(nn.ChannelShuffle, nn.PixelShuffle, nn.PixelUnshuffle),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
)
AFFINE_MODULES = frozenset(
    {*_CONTAINERS, *_PARAMETERS, *_WEIGHTED, *_BATCH_NORMS}
    | {*_DROPOUTS, *_AVERAGES, *_PADS, *_MOVES}
)

# Functions and methods by name, without the underscores of in-place forms.
# Read the shape or the type of a value, so that their result does not depend on it:
OF_SIZES = names(
    """
    size dim ndimension numel nelement stride element_size get_device len is_floating_point is_complex
    is_contiguous
    """
)
OF_SHAPES = OF_SIZES | names(
    """
    zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones
    new_empty new_full new_tensor
    """
)
# Affine in all their operands together:
OF_SUMS = names(
    """
    add iadd sub isub subtract rsub neg negative pos positive cat concat concatenate stack hstack
    vstack dstack column_stack row_stack broadcast_tensors atleast_1d atleast_2d atleast_3d
    """
)
# Affine in each operand, so only one of them may depend on the input:
OF_PRODUCTS = names(
    """
    mul imul multiply matmul imatmul mm bmm mv einsum tensordot dot vdot inner outer ger kron bilinear
    linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution
    """
)
# Affine in their first operand:
OF_ONE = names(
    """
    div itruediv truediv divide true_divide sum mean cumsum trace diff
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    batch_norm dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    feature_dropout pad constant_pad_nd fold unfold col2im im2col interpolate upsample
    upsample_nearest upsample_bilinear grid_sample pixel_shuffle pixel_unshuffle channel_shuffle
    embedding flatten unflatten reshape view ravel squeeze unsqueeze transpose permute
    movedim moveaxis swapaxes swapdims t adjoint flip fliplr flipud rot90 roll narrow select
    index_select getitem chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind
    repeat tile repeat_interleave expand broadcast_to contiguous clone detach to type float double half
    bfloat16 cpu cuda diag diagonal diag_embed tril triu masked_fill
    requires_grad
    """
)
# ... and take the shape or type of the second:
_LIKE_ANOTHER = frozenset({"view_as", "reshape_as", "expand_as", "type_as"})
_OPERATORS = frozenset(value for value in vars(operator).values() if callable(value))
TENSOR_ATTRIBUTES = frozenset({"T", "mT", "H", "mH", "data", "real"})


def commutes(module: nn.Module) -> bool:
    """Whether a layer is known to commute with rates.

    A layer of the user's own, or of Picojoule, is: torch.fx looks into the first, and the others are made for spikes.
    """
    for kind in type(module).__mro__:
        if kind in AFFINE_MODULES:
            return not isinstance(module, _BATCH_NORMS) or module.track_running_stats
        path = f"{kind.__module__}."
        looked_into = path.startswith(("torch.nn.utils.parametrize.", "torch.fx."))
        if path.startswith("torch.") and not looked_into:
            return False
        if path.startswith("picojoule."):
            return True
    return True


def depends_on_input(graph: fx.Graph, also: Collection[fx.Node] = ()) -> set[fx.Node]:
    """The nodes whose value (not only its shape) follows from the network's input, or from other nodes."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        by_value = node.op not in ("call_function", "call_method") or not _is_of_shape(node)
        begins = node.op == "placeholder" or node in also
        if begins or (by_value and found.intersection(node.all_input_nodes)):
            found.add(node)
    return found


def sizes(graph: fx.Graph) -> set[fx.Node]:
    """The nodes that are sizes of tensors, or numbers that Python's operators make of them."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        computed = node.op == "call_function" and node.target in _OPERATORS
        of_sizes = bool(node.all_input_nodes) and found.issuperset(node.all_input_nodes)
        if function_name(node) in OF_SIZES or _is_size_attribute(node) or (computed and of_sizes):
            found.add(node)
    return found


def is_affine(node: fx.Node, dependent: set[fx.Node]) -> bool:
    """Whether a call of a function is known to be affine in what depends on the network's input."""
    name = function_name(node)
    operands = [before for before in node.all_input_nodes if before in dependent]
    if not operands or _is_of_shape(node):
        return True
    if _rounds(node):
        return False
    if name in OF_SUMS or _gathers(node):
        return True
    first = node.args[0] if node.args else node.kwargs.get("input")
    of_first = first in operands
    if name in OF_PRODUCTS:
        return len(operands) == 1 and _occurrences(node, operands[0]) == 1
    if name == "batch_norm":
        statistics = [*node.args[1:3], node.kwargs.get("running_mean")]
        return of_first and any(value is not None for value in statistics)
    if name == "getattr":
        return of_first
    if name in _LIKE_ANOTHER:
        return True
    return name in OF_ONE and of_first and len(operands) == 1 and _occurrences(node, first) == 1


def _gathers(node: fx.Node) -> bool:
    """Whether a call puts values into a named tuple or a dataclass, and does no more.

    torch.fx notes so what a forward pass returns. What `__post_init__` does would be done twice.
    """
    kind = node.target
    plain = dataclasses.is_dataclass(kind) and not hasattr(kind, "__post_init__")
    return isinstance(kind, type) and (plain or hasattr(kind, "_fields"))


def normalises_by_batch(node: fx.Node) -> bool:
    """Whether a call of `batch_norm` takes the statistics of its batch, though it is given others."""
    given = node.args[5] if len(node.args) > 5 else node.kwargs.get("training", False)
    return function_name(node) == "batch_norm" and given is not False


def _rounds(node: fx.Node) -> bool:
    """Whether a call turns its values into whole numbers or booleans, or reads their bits as another type."""
    name, given = function_name(node), (*node.args[1:], *node.kwargs.values())
    if node.kwargs.get("rounding_mode") is not None:
        return True
    types = [value for value in given if isinstance(value, torch.dtype)]
    if name in ("to", "type_as"):  # the type of another tensor, where that is known
        others = (value.meta.get("dtype") for value in given if isinstance(value, fx.Node))
        types += [dtype for dtype in others if dtype is not None]
    if any(name == "view" or not (each.is_floating_point or each.is_complex) for each in types):
        return True
    words = str(given[0]) if name == "type" and given and not types else "Float"
    return not any(word in words for word in ("Float", "Double", "Half"))


def function_name(node: fx.Node) -> str | None:
    """Name of the function or method that a node calls, without underscores around it."""
    if node.op == "call_method":
        return str(node.target).strip("_")
    if node.op == "call_function":
        name = str(getattr(node.target, "__name__", ""))
        return name.partition(".")[0].strip("_")  # "relu.default" is an overload
    return None


def _is_of_shape(node: fx.Node) -> bool:
    return function_name(node) in OF_SHAPES or _is_size_attribute(node)


def _is_size_attribute(node: fx.Node) -> bool:
    return function_name(node) == "getattr" and node.args[1] not in TENSOR_ATTRIBUTES


def _occurrences(node: fx.Node, operand: object) -> int:
    """How often a call takes a value: `x * x` takes it twice."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), lambda n: found.append(n) or n)  # type: ignore[func-returns-value]
    return sum(one is operand for one in found)
