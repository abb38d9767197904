"""Whatever of PyTorch multiplies spikes by weights is counted or refused: never a silent zero."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten, tree_map

from tests.synops.enumeration.multiplying import OneProduct, silent, watched
from tests.synops.enumeration.samples import DTYPE, Sample, operators, samples

modules = pytest.importorskip("torch.testing._internal.common_modules")

pytestmark = pytest.mark.filterwarnings("ignore")  # of what PyTorch gives up
OPERATORS = operators()

# products that are no synapses, by the reason
NO_SYNAPSES = {
    "scales of a normalisation": """native_batch_norm _native_batch_norm_legit _batch_norm_with_update
        native_layer_norm native_group_norm nn.functional.batch_norm nn.functional.layer_norm
        nn.functional.group_norm nn.functional.instance_norm nn.functional.rms_norm nn.functional.prelu""",
    "losses": """nn.functional.cross_entropy nn.functional.binary_cross_entropy
        nn.functional.binary_cross_entropy_with_logits nn.functional.margin_ranking_loss
        nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
        nn.functional.multilabel_soft_margin_loss nn.functional.soft_margin_loss nn.functional.mse_loss
        nn.functional.nll_loss nn.functional.gaussian_nll_loss nn.functional.poisson_nll_loss
        nn.functional.kl_div nn.functional.smooth_l1_loss nn.functional.huber_loss nn.functional.l1_loss
        nn.functional.hinge_embedding_loss nn.functional.cosine_embedding_loss
        nn.functional.triplet_margin_loss nn.functional.triplet_margin_with_distance_loss""",
    "positions between values": "quantile nanquantile",
}
EXCUSED = {name for names in NO_SYNAPSES.values() for name in names.split()}
PRODUCTS = [n for n in OPERATORS if n not in EXCUSED and not n.startswith("jiterator")]  # GPUs only
METHODS = ("op", "method_variant", "operator_variant")


def test_no_product_is_a_silent_zero() -> None:
    found = {name: silent(itertools.islice(samples(OPERATORS[name]), 4)) for name in PRODUCTS}
    _assert_none(found)


@pytest.mark.slow
@pytest.mark.parametrize("form", METHODS)
def test_no_product_is_a_silent_zero_in_any_form_with_any_arguments(form: str) -> None:
    found = {}
    for name in PRODUCTS:
        function = getattr(OPERATORS[name], form)
        if function is not None:
            found[name] = silent(samples(OPERATORS[name], function))
    _assert_none(found)


def test_excused_products_are_functions_of_pytorch() -> None:
    assert set(OPERATORS) >= EXCUSED


A = torch.ops.aten
VECTOR, MATRIX, CUBE = (torch.rand(s, dtype=DTYPE) for s in ((4,), (4, 4), (2, 4, 4)))
SPELLINGS: dict[str, tuple[Any, ...]] = {
    "torch.ger": (torch.ger, VECTOR, VECTOR),
    "torch.multiply": (torch.multiply, VECTOR, VECTOR),
    "torch.mul out=": (
        torch.no_grad()(lambda x, w: torch.mul(x, w, out=torch.empty_like(x))),
        VECTOR,
        VECTOR,
    ),
    "x.clone().mul_(w)": (lambda x, w: x.clone().mul_(w), VECTOR, VECTOR),
    "x *= w": (lambda x, w: x.clone().__imul__(w), VECTOR, VECTOR),
    "x * w.T": (lambda x, w: x * w.T, MATRIX, MATRIX),
    "x * w[index]": (lambda x, w: x * w[torch.tensor([0, 0, 1, 2])], VECTOR, VECTOR),
    "x[:, None] * w": (lambda x, w: x[:, None] * w, VECTOR, VECTOR),
    "(x[:, None] * w).sum(0)": (lambda x, w: (x[:, None] * w).sum(0), VECTOR, MATRIX),
    "x @ w.t()": (lambda x, w: x @ w.t(), MATRIX, MATRIX),
    "x.mm(w)": (Tensor.mm, MATRIX, MATRIX),
    "chain_matmul": (torch.chain_matmul, MATRIX, MATRIX),
    "conv_tbc": (
        torch.conv_tbc,
        CUBE,
        torch.rand(1, 4, 3, dtype=DTYPE),
        torch.zeros(3, dtype=DTYPE),
    ),
    "einsum": (lambda x, w: torch.einsum("i,j->ij", x, w), VECTOR, VECTOR),
    "F.linear, data for weight": (lambda x, w: F.linear(w, x), MATRIX, MATRIX),
    "aten.mul": (A.mul, VECTOR, VECTOR),
    "aten.mul.Tensor": (A.mul.Tensor, VECTOR, VECTOR),
    "aten.mm": (A.mm, MATRIX, MATRIX),
    "aten.bmm": (A.bmm, CUBE, CUBE),
    "aten.mv": (A.mv, MATRIX, VECTOR),
    "aten.dot": (A.dot, VECTOR, VECTOR),
    "aten.addmm": (A.addmm, VECTOR, MATRIX, MATRIX),
    "aten.linear": (A.linear, MATRIX, MATRIX),
    "aten.matmul": (A.matmul, MATRIX, MATRIX),
    "aten.outer": (A.outer, VECTOR, VECTOR),
    "aten.addr": (A.addr, MATRIX, VECTOR, VECTOR),
    "aten.convolution": (
        lambda x, w: A.convolution(x, w, None, [1], [0], [1], False, [0], 1),
        CUBE,
        torch.rand(3, 4, 2, dtype=DTYPE),
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_product_is_a_silent_zero(spelling: str) -> None:
    function, *arguments = SPELLINGS[spelling]
    leaves, spec = tree_flatten((arguments[0], tuple(arguments[1:]), {}))
    assert not silent(iter([Sample(function, leaves, spec)]))


SPIKES = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]], dtype=DTYPE)  # 4 spikes
# each spike reaches one synapse where shapes are equal, one a row or column where one is spread over the other
ONE_TO_ONE: dict[str, tuple[Any, Tensor, float]] = {
    "a vector": (lambda x, w: x * w, torch.rand(3), 4),
    "a matrix": (lambda x, w: x * w, torch.rand(2, 3), 4),
    "the other way round": (lambda x, w: w * x, torch.rand(3), 4),
    "spread over the weights": (lambda x, w: x[..., None] * w, torch.rand(5), 4 * 5),
    "and summed": (lambda x, w: (x[..., None] * w).sum(-2), torch.rand(3, 5), 4 * 5),
    "one number": (lambda x, w: x * w, torch.rand(1), 0),
}


@pytest.mark.parametrize("way", ONE_TO_ONE)
def test_a_product_with_a_parameter_counts_each_spike_at_each_weight_it_meets(way: str) -> None:
    function, weight, expected = ONE_TO_ONE[way]
    leaves, spec = tree_flatten((SPIKES, (weight.to(DTYPE),), {}))
    answer = watched(OneProduct(Sample(function, leaves, spec), 0, 1), SPIKES[None])
    assert (answer.synops, answer.macs) == (expected, 0)


def test_broadcast_products_of_spikes_count_each_pair_that_meets() -> None:
    class Pairs(nn.Module):
        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            return (q[:, :, None] * k[:, None]).sum(-1)

    q, k = SPIKES, torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 3.0]], dtype=DTYPE)
    # 3 spikes with 2 of the first sample, 1 with 3 of the second
    assert watched(Pairs(), q, k).synops * len(q) == 3 * 2 + 1 * 3


def test_equal_products_of_spikes_are_gates() -> None:
    class Gate(nn.Module):
        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            return q * k

    assert watched(Gate(), SPIKES, SPIKES).synops == 0


NO_SYNAPSES_IN = ("Norm", "PReLU")
NOT_IN_THE_LIST = {
    "containers": "Module Container DataParallel Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "of several layers": "TransformerDecoder",
    "made of linear layers, behind a look at the target": "AdaptiveLogSoftmaxWithLoss",
    "without weights": """ChannelShuffle Hardsigmoid TripletMarginLoss Dropout1d Flatten Identity PixelShuffle
        PixelUnshuffle UpsamplingBilinear2d UpsamplingNearest2d Upsample Unflatten Fold Unfold ZeroPad1d
        PairwiseDistance CosineSimilarity TripletMarginWithDistanceLoss NLLLoss2d Softmax2d RReLU
        CircularPad1d CircularPad2d CircularPad3d Dropout Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout
        FractionalMaxPool2d FractionalMaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d LPPool3d""",
    "normalisations and their lazy forms": """LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyInstanceNorm1d
        LazyInstanceNorm2d LazyInstanceNorm3d SyncBatchNorm CrossMapLRN2d""",
    "seen as another one": "RNNBase RNNCellBase EmbeddingBag LazyLinear",
}


@pytest.mark.parametrize("info", modules.module_db, ids=lambda info: info.name)
def test_no_layer_is_a_silent_zero(info: Any) -> None:
    for model, args, kwargs in itertools.islice(_models(info), 4):
        assert not watched(model, *args, **kwargs).is_silent()


def test_every_layer_of_pytorch_is_tried_or_left_out_for_a_reason() -> None:
    tried = {info.module_cls.__name__ for info in modules.module_db}
    known = {
        x.__name__ for x in vars(nn).values() if isinstance(x, type) and issubclass(x, nn.Module)
    }
    left_out = {name for names in NOT_IN_THE_LIST.values() for name in names.split()}
    assert not known - tried - left_out, (
        f"layers that nobody tried: {sorted(known - tried - left_out)}. Enter them in NOT_IN_THE_LIST with the reason, "
        "after a look at whether they multiply by weights."
    )


def _models(info: Any) -> Any:
    """Layers with weights, with arguments of spikes."""
    given = info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=False
    )
    for one in given:
        if one.forward_input is None or any(
            part in info.module_cls.__name__ for part in NO_SYNAPSES_IN
        ):
            continue
        model = info.module_cls(*one.constructor_input.args, **one.constructor_input.kwargs).eval()
        if any(nn.parameter.is_lazy(p) or p.numel() > 1 for p in model.parameters()):
            args, kwargs = tree_map(_spikes, (one.forward_input.args, one.forward_input.kwargs))
            yield model, args, kwargs


def _spikes(x: Any) -> Any:
    return torch.ones_like(x) if isinstance(x, Tensor) and x.is_floating_point() else x


def _assert_none(found: dict[str, Any]) -> None:
    zeros = {name: answers for name, answers in found.items() if answers}
    assert not zeros, (
        f"silent zeros ({', '.join(zeros)}): {zeros}. A function that multiplies by weights needs a formula "
        "(picojoule/synops/formulas), or has to be refused; one that is no synapse is entered in NO_SYNAPSES."
    )
