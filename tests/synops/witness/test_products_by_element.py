"""Products element by element: synapses, meetings of spikes, gates and scales; weights that spikes select."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from tests.synops.witness.functional import Calls, spikes, totals

pytestmark = pytest.mark.filterwarnings("ignore:Monitor. no spiking layer was recognised")
X = spikes(4, 6)
N = X.sum().item()
W = torch.rand(3, 6, generator=torch.Generator().manual_seed(1)) + 0.5
PAIRS = (X @ X.t()).sum().item()

WITH_WEIGHTS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor, float]] = {
    "a vector": (lambda x, w: x * w, W[0], N),
    "a vector with axes": (lambda x, w: x * w, W[:1], N),
    "the other way round": (lambda x, w: w * x, W[0], N),
    "in place": (lambda x, w: x.clone().mul_(w), W[0], N),
    "by the operator's name": (torch.ops.aten.mul.Tensor, W[0], N),
    "a quotient": (lambda x, w: x / w, W[0], N),
    "each with three": (lambda x, w: (x[:, None] * w).sum(-1), W, 3 * N),
    "half of the rows": (lambda x, w: x[:, None] * w[[0, 2]], W, 2 * N),
    "added to a product": (lambda x, w: torch.addcmul(torch.zeros(6), x, w), W[0], N),
    "outer": (lambda x, w: torch.outer(x[0], w), W[0], 6 * X[0].sum().item()),
    "outer, added": (
        lambda x, w: torch.addr(torch.zeros(6, 6), x[0], w),
        W[0],
        6 * X[0].sum().item(),
    ),
    "kron": (lambda x, w: torch.kron(x, w), W, 18 * N),
    "lerp": (lambda x, w: torch.lerp(torch.zeros(6), x, w), W[0], N),
    "rows by index": (lambda x, w: w.t()[x[0].nonzero()[:, 0]].sum(0), W, 3 * X[0].sum().item()),
    "rows by mask": (lambda x, w: w.t()[x[0].bool()].sum(0), W, 3 * X[0].sum().item()),
    "index_select": (
        lambda x, w: w.t().index_select(0, x[0].nonzero()[:, 0]),
        W,
        3 * X[0].sum().item(),
    ),
    "where": (lambda x, w: torch.where(x[:, None] > 0, w, 0.0).sum(-1), W, 3 * N),
    "index_select by keyword": (
        lambda x, w: torch.index_select(input=w.t(), dim=0, index=x[0].nonzero()[:, 0]),
        W,
        3 * X[0].sum().item(),
    ),
    "where, as a method": (
        lambda x, w: w.where(x[:, None] > 0, torch.zeros(())).sum(-1),
        W,
        3 * N,
    ),
    "lerp by keyword": (
        lambda x, w: torch.lerp(input=torch.zeros(6), end=x, weight=w),
        W[0],
        N,
    ),
    "lerp from weights": (lambda x, w: torch.lerp(w, torch.zeros(6), x), W[0], N),
    "lerp of spikes": (lambda x, w: torch.lerp(x, torch.zeros(6), w), W[0], N),
    "masked_fill": (lambda x, w: w.masked_fill(x[:, None] == 0, 0.0).sum(-1), W, 3 * N),
}


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_each_spike_arrives_at_each_weight_it_meets(name: str) -> None:
    function, weight, expected = WITH_WEIGHTS[name]
    model = Calls(lambda module, x: function(x, module.ws[0]), weight)
    assert [totals(model, X, passes=n)[0] for n in (1, 3)] == [expected] * 2


def test_pruned_weights_are_none() -> None:
    weight = W[0].clone()
    weight[::2] = 0
    model = Calls(lambda module, x: x * module.ws[0], weight)
    assert totals(model, X, weights="nonzero") == (X[:, 1::2].sum().item(), 0.0)


WITH_DATA: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "outer": (lambda x: torch.outer(x[0], x[1]), (X[0].sum() * X[1].sum()).item()),
    "each with each": (lambda x: (x[:, None] * x[None]).sum(-1), PAIRS),
    "a gate": (lambda x: x * x.flip(0), 0.0),
    "a gate for a row": (lambda x: x * x[:, :1], 0.0),
    "a mask": (lambda x: x * (x > 0), 0.0),
    "a number": (lambda x: x * 0.5, 0.0),
    "a table": (lambda x: x * torch.arange(6.0), 0.0),
}


@pytest.mark.parametrize("name", WITH_DATA)
def test_spikes_that_meet_spikes(name: str) -> None:
    function, expected = WITH_DATA[name]
    assert totals(Calls(lambda _, x: function(x)), X)[0] == expected


def test_scales_of_dense_values_are_no_synapses() -> None:
    """LayerScale, whatever axes its weights have."""
    for shape in ((3,), (1, 3), (1, 3, 1)):
        model = Calls(
            lambda module, x: (module.layer(x).unsqueeze(-1) * module.ws[0].reshape(3, 1)).squeeze(-1),
            torch.rand(shape),
            layer=nn.Linear(6, 3),
        )  # fmt: skip
        assert totals(model, X) == (3 * N, 0.0)


def test_a_matrix_that_dense_values_are_multiplied_with_is_macs() -> None:
    model = Calls(lambda module, x: (x[:, None] * module.ws[0]).sum(-1), W)
    assert totals(model, torch.rand(4, 6)) == (0.0, 4 * 3 * 6)


@pytest.mark.parametrize("weight", [W[0], W], ids=["a vector", "a matrix"])
def test_a_convolution_by_spectra_is_macs(weight: Tensor) -> None:
    """Each of the five frequencies of each value is multiplied with that of the kernel."""

    def convolved(module: Any, x: Tensor) -> Tensor:
        products = torch.fft.rfft(x[:, None], n=8) * torch.fft.rfft(module.ws[0], n=8)
        return torch.fft.irfft(products, n=8).sum(1)

    frequencies = 8 // 2 + 1
    expected = float(len(X) * len(weight.reshape(-1, 6)) * frequencies)
    assert totals(Calls(convolved, weight), X) == (0.0, expected)


@pytest.mark.parametrize("part", [torch.complex, lambda a, _: a.to(torch.complex64)])
def test_spikes_arrive_at_complex_weights(part: Callable[..., Tensor]) -> None:
    model = Calls(lambda module, x: x * part(module.ws[0], module.ws[0]), W[0])
    assert totals(model, X) == (N, 0.0)


def test_masks_of_a_model_are_gates_and_its_other_buffers_weights() -> None:
    def build(buffer: Tensor) -> nn.Module:
        model = Calls(lambda module, x: x * module.buffer)
        model.register_buffer("buffer", buffer)
        return model

    assert totals(build((torch.arange(6) % 2).float() * 3), X)[0] == 0
    assert totals(build(torch.arange(6) % 2 == 0), X)[0] == 0
    assert totals(build(W[0]), X)[0] == N


def test_the_count_of_a_one_to_one_weight_has_a_gradient() -> None:
    model = Calls(lambda module, x: x * module.ws[0], W[0])
    x = X.clone().requires_grad_()
    with Monitor(model) as monitor:
        model(x)
    (slope,) = torch.autograd.grad(monitor.synops.per_sample.total * 4, x)
    assert torch.equal(slope, torch.ones_like(x))


def test_what_stands_in_the_place_of_weights_but_is_data_is_data() -> None:
    queries, keys = X, spikes(5, 6, seed=7)
    pairs = (queries @ keys.t()).sum().item()

    def linear(_: Any, q: Tensor, k: Tensor) -> Tensor:
        return nn.functional.linear(q, k)

    assert totals(Calls(linear, *()), queries, keys) == (pairs, 0.0)
    template = Calls(lambda _, x, z: nn.functional.conv1d(x[None], z[:, None, :2]))
    one = spikes(1, 8)
    meets = nn.functional.conv1d(one[None], spikes(3, 6, seed=9)[:, None, :2]).sum().item()
    assert totals(template, one, spikes(3, 6, seed=9))[0] == meets
