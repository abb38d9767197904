"""Scripts, exports, operators, transforms, quantised and sparse layers count as the functions they stand for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.synops.witness.functional import Calls, spikes, totals

# of old ways, of parts in beta, and of steps that nothing here can tell
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
X = spikes(4, 6)
W = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
SYNOPS = X.sum().item() * 3


class Fires(nn.Module):
    """Two layers, with spikes between them that no module makes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.rest = nn.Linear(6, 5), nn.Sequential(nn.Linear(5, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest((self.first(x) > 0).float())


FIRES = Fires().eval()
FIRES_SYNOPS = X.sum().item() * 5 + (FIRES.first(X) > 0).sum().item() * 3


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        return x @ w.t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None]:
        return None, None


def of(function: Callable[[Tensor, Tensor], Tensor]) -> nn.Module:
    return Calls(lambda module, x: function(x, module.ws[0]), W)


def product(x: Tensor, w: Tensor) -> Tensor:
    return x @ w.t()


def method() -> nn.Module:
    class Method(torch.jit.ScriptModule):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(W)

        @torch.jit.script_method
        def forward(self, x: Tensor) -> Tensor:
            return x @ self.w.t()

    return Method()


def in_mkldnn() -> nn.Module:
    from torch.utils import mkldnn

    return mkldnn.to_mkldnn(layer())


def exported() -> Any:
    return torch.export.export(FIRES, (X,))


# built when they are asked for: PyTorch warns that scripts are of the past
SCRIPTS: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "script": (lambda: nn.Sequential(torch.jit.script(FIRES)), FIRES_SYNOPS),
    "trace": (lambda: nn.Sequential(torch.jit.trace(FIRES, X)), FIRES_SYNOPS),
    "frozen": (lambda: nn.Sequential(torch.jit.freeze(torch.jit.script(FIRES))), FIRES_SYNOPS),
    "for inference": (
        lambda: nn.Sequential(torch.jit.optimize_for_inference(torch.jit.script(FIRES))),
        FIRES_SYNOPS,
    ),
    "a script method": (lambda: nn.Sequential(method()), SYNOPS),
    "a script function": (lambda: of(torch.jit.script(product)), SYNOPS),
    "export": (lambda: exported().module(), FIRES_SYNOPS),
    "export inside another module": (lambda: nn.Sequential(exported().module()), FIRES_SYNOPS),
    "export, decomposed": (lambda: exported().run_decompositions().module(), FIRES_SYNOPS),
}


def layer() -> nn.Linear:
    built = nn.Linear(6, 3)
    built.load_state_dict({"weight": W, "bias": torch.zeros(3)})
    return built


CALLS: dict[str, nn.Module] = {
    "aten.mm": of(lambda x, w: torch.ops.aten.mm(x, w.t())),
    "aten.mm.default": of(lambda x, w: torch.ops.aten.mm.default(x, w.t())),
    "aten.addmm": of(lambda x, w: torch.ops.aten.addmm(torch.zeros(3), x, w.t())),
    "aten.linear": of(torch.ops.aten.linear),
    "aten.convolution": of(
        lambda x, w: torch.ops.aten.convolution(
            x.unsqueeze(-1), w.unsqueeze(-1), None, [1], [0], [1], False, [0], 1
        )
    ),
    "vmap": Calls(lambda module, x: torch.vmap(module.layer)(x), layer=layer()),
    "vmap over a method": of(lambda x, w: torch.vmap(lambda v: v @ w.t())(x)),
    "functional_call": Calls(
        lambda module, x: torch.func.functional_call(module.layer, {"weight": W * 2}, x),
        layer=layer(),
    ),
    "an autograd.Function": of(Product.apply),
    "einsum of lists": of(lambda x, w: torch.einsum(x, [0, 1], w, [2, 1], [0, 2])),
    "sparse spikes": of(lambda x, w: torch.sparse.mm(x.to_sparse(), w.t())),
    "sparse spikes @": of(lambda x, w: x.to_sparse() @ w.t()),
    "sparse rows": of(lambda x, w: x.to_sparse_csr() @ w.t()),
    "cond": Calls(
        lambda module, x: torch.cond(x.sum() > 0, module.layer, lambda x: module.layer(x) * 0, (x,)),
        layer=layer(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("grad", [True, False])
def test_a_script_or_export_counts_as_its_module(name: str, grad: bool) -> None:
    build, expected = SCRIPTS[name]
    model = build()
    with torch.set_grad_enabled(grad):
        # PyTorch rewrites a script after its first calls
        assert [totals(model, X, passes=n) for n in (1, 3)] == [(expected, 0.0)] * 2


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("passes", [1, 3])
def test_a_call_below_functions_counts_as_the_function(name: str, passes: int) -> None:
    assert totals(CALLS[name], X, passes=passes) == (SYNOPS, 0.0)


@pytest.mark.parametrize("name", ["aten.linear", "an autograd.Function"])
def test_the_same_without_version_counters(name: str) -> None:
    with torch.inference_mode():
        assert totals(CALLS[name], X.clone()) == (SYNOPS, 0.0)


def test_vmap_over_weights() -> None:
    model = Calls(
        lambda module, x: torch.vmap(lambda w: x @ w.t())(module.ws[0]), torch.randn(5, 3, 6)
    )
    assert totals(model, X) == (5 * SYNOPS, 0.0)


def test_mkldnn() -> None:
    model = Calls(lambda module, x: module.layer(x.to_mkldnn()).to_dense(), layer=in_mkldnn())
    assert totals(model, X) == (SYNOPS, 0.0)


def test_weights_that_are_quantised_on_the_way() -> None:
    model = nn.Sequential(nn.Linear(6, 3))
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    assert totals(quantised, X) == (SYNOPS, 0.0)


def test_a_quantised_network_counts_its_spikes() -> None:
    quantised = torch.ao.quantization
    model = nn.Sequential(quantised.QuantStub(), layer(), quantised.DeQuantStub()).eval()
    model.qconfig = quantised.get_default_qconfig("x86")
    quantised.prepare(model, inplace=True)
    model(X)
    quantised.convert(model, inplace=True)
    assert totals(model, X) == pytest.approx((SYNOPS, 0.0))


def test_a_quantised_convolution_has_the_synapses_of_the_convolution() -> None:
    quantised = torch.ao.quantization
    convolution = nn.Conv2d(1, 2, 3, padding=1)
    image = torch.rand(2, 1, 5, 5)
    expected = totals(nn.Sequential(convolution), image)
    model = nn.Sequential(quantised.QuantStub(), convolution, quantised.DeQuantStub()).eval()
    model.qconfig = quantised.get_default_qconfig("x86")
    quantised.prepare(model, inplace=True)
    model(image)
    quantised.convert(model, inplace=True)
    assert totals(model, image) == expected


def test_flex_attention_counts_as_attention() -> None:
    from torch.nn.attention.flex_attention import flex_attention

    x = spikes(1, 2, 4, 8)
    flex = totals(Calls(lambda _, x: flex_attention(x, x, x)), x)
    assert flex == totals(Calls(lambda _, x: F.scaled_dot_product_attention(x, x, x)), x)
    assert flex[0] > 0


def test_edges_that_are_absent_are_no_synapses() -> None:
    adjacency, x = spikes(6, 6, seed=2), spikes(6, 4, seed=3)
    edges = (adjacency.double() @ x.double()).sum().item()
    for stored in (adjacency.to_sparse(), adjacency.to_sparse_csr()):
        for weights in ("all", "nonzero"):
            model = Calls(lambda module, x: module.adjacency @ x)
            model.register_buffer("adjacency", stored)
            assert totals(model, x, weights=weights) == (edges, 0.0)
            given = Calls(lambda _, adjacency, x: torch.sparse.mm(adjacency, x))
            assert totals(given, stored, x, weights=weights) == (edges, 0.0)


def test_dense_values_meet_only_the_edges_that_there_are() -> None:
    adjacency, x = spikes(6, 6, seed=2), torch.rand(6, 4)
    model = Calls(lambda module, x: torch.sparse.mm(module.adjacency, x))
    model.register_buffer("adjacency", adjacency.to_sparse())
    assert totals(model, x) == (0.0, adjacency.sum().item() * 4)
