"""What a conversion lets through is affine, whatever it is called; all the rest of torch.nn is refused by name."""

import operator
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from picojoule.convert import commuting, from_model
from picojoule.convert.graph import call_graph
from picojoule.layers import QuantizeLayer

GOLDEN = Path(__file__).parents[1] / "golden" / "not_converted.txt"
REFUSED = set(GOLDEN.read_text().split())
READOUTS = {"nn.Softmax", "nn.LogSoftmax", "nn.Softmax2d", "F.softmax", "F.log_softmax"}
RELUS = {"nn.ReLU", "F.relu", "F.relu_"}

IMAGE = (2, 4, 6, 6)
# one layer for each entry of AFFINE_MODULES, and the shape of its input
LAYERS: dict[type[nn.Module], tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    nn.Linear: (lambda: nn.Linear(3, 2), (5, 3)),
    nn.Identity: (nn.Identity, (5, 3)),
    nn.Flatten: (nn.Flatten, IMAGE),
    nn.Unflatten: (lambda: nn.Unflatten(1, (2, 2)), IMAGE),
    nn.Fold: (lambda: nn.Fold((4, 5), (2, 2)), (2, 8, 12)),
    nn.Unfold: (lambda: nn.Unfold(2), IMAGE),
    nn.ChannelShuffle: (lambda: nn.ChannelShuffle(2), IMAGE),
    nn.PixelShuffle: (lambda: nn.PixelShuffle(2), IMAGE),
    nn.PixelUnshuffle: (lambda: nn.PixelUnshuffle(2), IMAGE),
    nn.Upsample: (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE),
    nn.UpsamplingNearest2d: (lambda: nn.UpsamplingNearest2d(scale_factor=2), IMAGE),
    nn.UpsamplingBilinear2d: (lambda: nn.UpsamplingBilinear2d(scale_factor=2), IMAGE),
    nn.SyncBatchNorm: (lambda: nn.SyncBatchNorm(4), IMAGE),
    **{kind: (lambda kind=kind: kind(), (5, 3)) for kind in (nn.Dropout, nn.AlphaDropout)},
}
for _dims, _shape in ((1, (2, 4, 6)), (2, IMAGE), (3, (2, 4, 6, 6, 6))):
    for _name, _arguments in {
        "Conv": (4, 3, 3),
        "ConvTranspose": (4, 3, 3),
        "BatchNorm": (4,),
        "Dropout": (),
        "AvgPool": (2,),
        "AdaptiveAvgPool": (2,),
        "ZeroPad": (1,),
        "ConstantPad": (1, 0.5),
        "ReflectionPad": (1,),
        "ReplicationPad": (1,),
        "CircularPad": (1,),
    }.items():
        _kind = getattr(nn, f"{_name}{_dims}d")
        LAYERS[_kind] = (lambda kind=_kind, args=_arguments: kind(*args), _shape)
LAYERS[nn.FeatureAlphaDropout] = (nn.FeatureAlphaDropout, IMAGE)
# nothing to compute with, numbers of tokens for input, or one of the above after its first call
NO_INPUT = {
    nn.Module,
    nn.Sequential,
    nn.ModuleList,
    nn.ModuleDict,
    nn.ParameterList,
    nn.ParameterDict,
}


def layers_of_torch() -> dict[str, type[nn.Module]]:
    found = {n: c for n, c in vars(nn).items() if isinstance(c, type) and issubclass(c, nn.Module)}
    return {f"nn.{name}": kind for name, kind in found.items()}


def functions_of_torch() -> set[str]:
    names = {name for name in dir(F) if callable(getattr(F, name)) and name[0].islower()}
    imported = {
        "boolean_dispatch",
        "handle_torch_function",
        "has_torch_function",
        "grad",
        "assert_int_or_pair",
    }
    return {f"F.{name}" for name in names - imported if not name.startswith("has_torch_function")}


def assert_affine(function: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, *shape, dtype=torch.float64)
    torch.testing.assert_close(function(0.3 * x + 0.7 * y), 0.3 * function(x) + 0.7 * function(y))


def assert_divided_or_refused(model: nn.Module, shape: tuple[int, ...]) -> None:
    """With `bias_rescaling`: outputs are divided as inputs are, or would not be and the model is refused."""
    x = torch.rand(shape, dtype=torch.float64)
    has_bias = getattr(model, "bias", None) is not None and not hasattr(model, "running_mean")
    if has_bias or torch.allclose(10 * model(x / 10), model(x)):
        network = from_model(model, batch_size=1, bias_rescaling=10.0)
        torch.testing.assert_close(10 * network(x / 10), model(x))
    else:
        with pytest.raises(ValueError, match="bias_rescaling"):
            from_model(model, batch_size=1, bias_rescaling=10.0)


def lazy(kind: type[nn.Module]) -> bool:
    return kind.__name__.startswith("Lazy")


def test_every_layer_of_torch_is_decided() -> None:
    layers = layers_of_torch()
    through = {name for name, kind in layers.items() if kind in commuting.AFFINE_MODULES}
    undecided = set(layers) - through - REFUSED - READOUTS - RELUS
    assert not undecided, f"add to commuting.py or to {GOLDEN.name}"
    assert not through & REFUSED
    witnessed = {*LAYERS, *NO_INPUT, nn.Embedding}
    assert {kind for kind in commuting.AFFINE_MODULES if not lazy(kind)} == witnessed


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_what_is_let_through_is_affine(kind: type[nn.Module]) -> None:
    make, shape = LAYERS[kind]
    layer = make().double()
    for name, values in layer.named_buffers():
        if name.startswith("running"):
            values.uniform_(0.5, 2)
    assert commuting.commutes(layer)
    assert_affine(layer.eval(), shape)
    assert_divided_or_refused(layer, shape)


def test_every_refused_layer_of_torch_does_not_commute() -> None:
    layers = layers_of_torch()
    for name in REFUSED & set(layers):
        assert not commuting.commutes(object.__new__(layers[name])), name


@pytest.mark.parametrize(
    "layer",
    [
        *(nn.LayerNorm([4, 6, 6]), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LPPool2d(2, 2)),
        *(nn.RMSNorm([4, 6, 6]), nn.LocalResponseNorm(2), nn.CrossMapLRN2d(2), nn.Softmin(1)),
        *(nn.BatchNorm2d(4, track_running_stats=False), nn.Threshold(0.1, 0.0)),
        *(nn.MaxUnpool2d(2), nn.CosineSimilarity(), nn.DataParallel(nn.Flatten())),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("traceable", [True, False])
@pytest.mark.filterwarnings("ignore:.*torch.fx cannot follow:UserWarning")
def test_refused_by_name(layer: nn.Module, traceable: bool) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), layer, nn.ReLU())
    if not traceable:
        model.append(Branching())
    with pytest.raises(NotImplementedError, match=rf"layer '2' \({type(layer).__name__}\)"):
        from_model(model, batch_size=1)


class Branching(nn.Module):
    """torch.fx cannot follow it."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_a_loss_that_the_model_holds_is_no_part_of_its_forward_pass() -> None:
    model = Calls(lambda x: torch.relu(x) * 2)
    model.loss, model.unused = nn.CrossEntropyLoss(), nn.LayerNorm(3)
    assert from_model(model, batch_size=1)(torch.ones(3, 2)).shape == (3, 2)


def test_parametrised_layers_are_let_through() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2)), nn.ReLU())
    assert from_model(model, batch_size=1)(torch.ones(4, 3)).shape == (4, 2)


class Calls(nn.Module):
    """Calls one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


W = torch.rand(6, 6, dtype=torch.float64) + 0.5
V = W[0].clone()
FILTER = torch.rand(3, 4, *[2] * 3, dtype=torch.float64)
GRID = F.affine_grid(torch.eye(2, 3, dtype=torch.float64)[None].repeat(2, 1, 1), IMAGE, False)
INDEX = torch.tensor([1, 0])


def first(x: Tensor) -> Tensor:
    """A vector."""
    return x[0, 0, 0]


# a call for each name: through the tracer each must be let through, and each must be affine
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda x: torch.add(x, x.flip(0)) + W, "iadd": lambda x: operator.iadd(x * 1, W),
    "sub": lambda x: 1 - x, "isub": lambda x: operator.isub(x * 1, W),
    "subtract": lambda x: torch.subtract(W, x), "rsub": lambda x: torch.rsub(x, 2.0),
    "neg": operator.neg, "negative": torch.negative, "pos": operator.pos, "positive": torch.positive,
    "cat": lambda x: torch.cat([x, -x]), "concat": lambda x: torch.concat([x, 2 * x]),
    "concatenate": lambda x: torch.concatenate([x, x]), "stack": lambda x: torch.stack([x, x], 1),
    "hstack": lambda x: torch.hstack([x, x]), "vstack": lambda x: torch.vstack([x, x]),
    "dstack": lambda x: torch.dstack([x, x]), "column_stack": lambda x: torch.column_stack([x, x]),
    "row_stack": lambda x: torch.vstack([x, x]),
    "broadcast_tensors": lambda x: torch.broadcast_tensors(x, W)[1] + x,
    "atleast_1d": torch.atleast_1d, "atleast_2d": torch.atleast_2d, "atleast_3d": torch.atleast_3d,
    "mul": lambda x: x * W, "imul": lambda x: operator.imul(x * 1, W), "multiply": lambda x: torch.multiply(x, W),
    "matmul": lambda x: W @ x, "imatmul": lambda x: operator.imatmul(x * 1, W),
    "mm": lambda x: torch.mm(W, x[0, 0]), "bmm": lambda x: torch.bmm(x[0], x.new_ones(4, 6, 2)),
    "mv": lambda x: torch.mv(x[0, 0], V), "einsum": lambda x: torch.einsum("bchw,wv->bchv", x, W),
    "tensordot": lambda x: torch.tensordot(x, W, 1), "dot": lambda x: torch.dot(first(x), V),
    "vdot": lambda x: torch.vdot(V, first(x)), "inner": lambda x: torch.inner(x, W),
    "outer": lambda x: torch.outer(first(x), V), "ger": lambda x: torch.outer(first(x), V),
    "kron": lambda x: torch.kron(x[0, 0], W), "bilinear": lambda x: F.bilinear(x, torch.ones_like(x), W[None]),
    "linear": lambda x: F.linear(x, W, V),
    "conv1d": lambda x: F.conv1d(x[:, :, 0], FILTER[..., 0, 0]), "conv2d": lambda x: F.conv2d(x, FILTER[..., 0]),
    "conv3d": lambda x: F.conv3d(x.repeat(1, 1, 6, 1).reshape(2, 4, 6, 6, 6), FILTER),
    "conv_transpose1d": lambda x: F.conv_transpose1d(x[:, :, 0], FILTER.transpose(0, 1)[..., 0, 0]),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, FILTER.transpose(0, 1)[..., 0]),
    "conv_transpose3d": lambda x: F.conv_transpose3d(x.unsqueeze(-1), FILTER.transpose(0, 1)),
    "convolution": lambda x: torch.convolution(x, FILTER[..., 0], None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
    "div": lambda x: torch.div(x, W), "itruediv": lambda x: operator.itruediv(x * 1, W),
    "truediv": lambda x: x / 3, "divide": lambda x: torch.divide(x, W), "true_divide": lambda x: torch.true_divide(x, W),
    "sum": lambda x: x.sum(1), "mean": lambda x: x.mean((2, 3)), "cumsum": lambda x: x.cumsum(1),
    "trace": lambda x: torch.trace(x[0, 0]), "diff": torch.diff,
    "avg_pool1d": lambda x: F.avg_pool1d(x[0], 2), "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "avg_pool3d": lambda x: F.avg_pool3d(x, 2), "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x[0], 2),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 2),
    "adaptive_avg_pool3d": lambda x: F.adaptive_avg_pool3d(x, 2),
    "batch_norm": lambda x: F.batch_norm(x, V[:4], V[:4], V[:4], V[:4]),
    "dropout": lambda x: F.dropout(x, training=False), "dropout1d": lambda x: F.dropout1d(x[0], training=False),
    "dropout2d": lambda x: F.dropout2d(x, training=False), "dropout3d": lambda x: F.dropout3d(x[None], training=False),
    "alpha_dropout": F.alpha_dropout, "feature_alpha_dropout": F.feature_alpha_dropout,
    "feature_dropout": lambda x: torch.feature_dropout(x, 0.5, False),
    "pad": lambda x: F.pad(x, (1, 2), value=0.5), "constant_pad_nd": lambda x: torch.constant_pad_nd(x, [1, 2], 3),
    "fold": lambda x: F.fold(x.reshape(2, 24, 6), (3, 4), 2), "unfold": lambda x: F.unfold(x, 2),
    "col2im": lambda x: torch.ops.aten.col2im(x.reshape(2, 24, 6), [3, 4], [2, 2], [1, 1], [0, 0], [1, 1]),
    "im2col": lambda x: torch.ops.aten.im2col(x, [2, 2], [1, 1], [0, 0], [1, 1]),
    "interpolate": lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
    "upsample": lambda x: F.interpolate(x, 9), "upsample_nearest": lambda x: F.interpolate(x, 9),
    "upsample_bilinear": lambda x: F.interpolate(x, 9, mode="bilinear", align_corners=True),
    "grid_sample": lambda x: F.grid_sample(x, GRID, align_corners=False),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2), "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "flatten": lambda x: torch.flatten(x, 1), "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "reshape": lambda x: x.reshape(x.shape[0], -1), "view": lambda x: x.view(x.size(0), -1), "ravel": torch.ravel,
    "squeeze": torch.squeeze, "unsqueeze": lambda x: x.unsqueeze(1), "transpose": lambda x: x.transpose(1, 2),
    "permute": lambda x: x.permute(0, 2, 3, 1), "movedim": lambda x: x.movedim(1, 3), "moveaxis": lambda x: x.moveaxis(1, 3),
    "swapaxes": lambda x: x.swapaxes(1, 3), "swapdims": lambda x: x.swapdims(1, 3), "t": lambda x: x[0, 0].t(),
    "adjoint": torch.adjoint, "flip": lambda x: x.flip(1), "fliplr": torch.fliplr, "flipud": torch.flipud,
    "rot90": torch.rot90, "roll": lambda x: x.roll(1, 1), "narrow": lambda x: x.narrow(1, 0, 2),
    "select": lambda x: x.select(1, 0), "index_select": lambda x: x.index_select(1, INDEX),
    "getitem": lambda x: x[:, INDEX, ..., None], "chunk": lambda x: x.chunk(2, 1)[1], "split": lambda x: x.split(2, 1)[0],
    "split_with_sizes": lambda x: x.split_with_sizes([1, 3], 1)[1], "tensor_split": lambda x: x.tensor_split(2)[0],
    "hsplit": lambda x: x.hsplit(2)[0], "vsplit": lambda x: x.vsplit(2)[0], "dsplit": lambda x: x.dsplit(2)[0],
    "unbind": lambda x: x.unbind(1)[2], "repeat": lambda x: x.repeat(2, 1, 1, 1), "tile": lambda x: x.tile(2),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1), "expand": lambda x: x[:1].expand(3, -1, -1, -1),
    "broadcast_to": lambda x: x.broadcast_to(3, *IMAGE), "contiguous": lambda x: x.contiguous(), "clone": torch.clone,
    "detach": torch.detach, "to": lambda x: x.to(torch.float64), "type": lambda x: x.type(torch.float64),
    "float": lambda x: x * 1, "double": lambda x: x.double(), "half": lambda x: x, "bfloat16": lambda x: x,
    "cpu": lambda x: x.cpu(), "cuda": lambda x: x, "diag": lambda x: torch.diag(x[0, 0]), "diagonal": lambda x: x.diagonal(0, 2, 3), "diag_embed": torch.diag_embed,
    "tril": torch.tril, "triu": torch.triu, "masked_fill": lambda x: x.masked_fill(W > 1, 2.0),
    "requires_grad": lambda x: x.requires_grad_(),
    "view_as": lambda x: x.view_as(x), "reshape_as": lambda x: x.flatten(1).reshape_as(x),
    "expand_as": lambda x: x[:1].expand_as(x), "type_as": lambda x: x.type_as(x),
    "getattr": lambda x: x.mT * x.shape[0],
    "new_ones and the like": lambda x: x * x.new_ones(6) + torch.zeros_like(x),
}  # fmt: skip
# names without an affine call to trace: other types, other devices, other names of those above
ALIASES = {"embedding", *("float", "half", "bfloat16", "cuda", "row_stack", "ger")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_that_is_let_through_is_affine(name: str) -> None:
    graph = call_graph("test", Calls(FUNCTIONS[name]))
    dependent = commuting.depends_on_input(graph)
    assert all(
        commuting.is_affine(node, dependent) for node in graph.nodes if node.op[:5] == "call_"
    )
    assert_affine(FUNCTIONS[name], IMAGE)
    assert_divided_or_refused(Calls(FUNCTIONS[name]), IMAGE)


def test_every_function_that_is_let_through_has_a_witness() -> None:
    through = commuting.OF_SUMS | commuting.OF_PRODUCTS | commuting.OF_ONE
    assert through - ALIASES <= set(FUNCTIONS)


def test_every_function_of_torch_is_decided() -> None:
    names = {name[2:].strip("_") for name in functions_of_torch() - REFUSED - READOUTS - RELUS}
    undecided = names - commuting.OF_PRODUCTS - commuting.OF_ONE
    assert not undecided, f"add to commuting.py or to {GOLDEN.name}"


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: F.layer_norm(x, (6,)), "layer_norm"),
        (lambda x: torch.group_norm(x, 2), "group_norm"),
        (F.instance_norm, "instance_norm"),
        (lambda x: F.rms_norm(x, (6,)), "rms_norm"),
        (lambda x: F.local_response_norm(x, 2), "local_response_norm"),
        (F.normalize, "normalize"),
        (lambda x: F.lp_pool2d(x, 2, 2), "lp_pool2d"),
        (lambda x: F.batch_norm(x, None, None, training=True), "batch_norm"),
        (lambda x: x * x, "mul"),
        (lambda x: x * x.mean(1, keepdim=True), "mul"),
        (lambda x: x @ x.mT, "matmul"),
        (lambda x: torch.einsum("bchw,bcvw->bchv", x, x), "einsum"),
        (lambda x: F.conv2d(x, x[:, :, :2, :2]), "conv2d"),
        (lambda x: 1 / x, "truediv"),
        (lambda x: x / x.sum(), "truediv"),
        (lambda x: (x - x.mean()) / torch.sqrt(x.var()), "var"),
        (lambda x: x**2, "pow"),
        (torch.square, "square"),
        (torch.sort, "sort"),
        (lambda x: x.topk(2), "topk"),
        (torch.round, "round"),
        (lambda x: x.new_ones(6).cumprod(0) * x.norm(), "norm"),
        (lambda x: x.masked_fill(x > 1, 0.0), "gt"),
        (lambda x: torch.nn.functional.one_hot(x), "one_hot"),
        (lambda x: torch.ops.aten.native_layer_norm(x, [6], None, None, 1e-5)[0], "native_layer_norm"),
    ],
)  # fmt: skip
def test_other_functions_are_refused_by_name(function: Callable[..., Tensor], name: str) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), Calls(function), nn.ReLU())
    with pytest.raises(NotImplementedError, match=rf"calls {name}\(\)"):
        from_model(model, batch_size=1)


class WeightStandardised(nn.Conv2d):
    """What its weight goes through is no business of the rates."""

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight - self.weight.mean()) / self.weight.std()
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def test_what_is_done_to_weights_may_be_anything() -> None:
    model = nn.Sequential(WeightStandardised(1, 2, 3), nn.ReLU())
    assert from_model(model, batch_size=1)(torch.rand(4, 1, 5, 5)).shape == (4, 2, 3, 3)


def test_rounding_is_let_through_where_spikes_arrive() -> None:
    for before in (nn.ReLU(), nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Sequential()):
        from_model(nn.Sequential(before, QuantizeLayer(), nn.Linear(3, 2)), batch_size=1)
    from_model(nn.Sequential(nn.Linear(3, 3), QuantizeLayer(quantize=False)), batch_size=1)
    with pytest.raises(NotImplementedError, match=r"layer '1' .QuantizeLayer., which rounds"):
        from_model(nn.Sequential(nn.Linear(3, 3), QuantizeLayer(), nn.ReLU()), batch_size=1)
