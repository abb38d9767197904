"""Products, attention, recurrent layers and look-ups against sums over all index tuples."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule import Monitor
from picojoule.synops.formulas import FORMULAS
from tests.synops.brute_force import formula_count, impulse_count


def spikes(*shape: int) -> Tensor:
    return torch.randint(-2, 3, shape).float()


A, B, V = (3, 4), (4, 5), (4,)
PRODUCTS: list[tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = [
    (lambda a, b: a @ b, [A, B]),
    (lambda a, b: a @ b, [(2, 3, 4), (2, 4, 5)]),
    (lambda a, b: a @ b, [(2, 1, 3, 4), (6, 4, 5)]),
    (lambda a, b: a @ b, [(3, 4), (2, 4, 5)]),
    (lambda a, b: a @ b, [V, B]),
    (lambda a, b: a @ b, [A, V]),
    (lambda a, b: b.__rmatmul__(a), [A, B]),
    (torch.mm, [A, B]),
    (lambda a, b: torch.mm(a, mat2=b), [A, B]),
    (torch.mv, [A, V]),
    (torch.dot, [V, V]),
    (torch.bmm, [(2, 3, 4), (2, 4, 5)]),
    (torch.inner, [(2, 3, 4), (5, 4)]),
    (torch.linalg.vecdot, [(2, 3, 4), (3, 4)]),
    (lambda a, b: torch.tensordot(a, b, ([1, 2], [1, 0])), [(2, 3, 4), (4, 3, 5)]),
    (lambda a, b: torch.addmm(a.new_zeros(3, 5), a, b), [A, B]),
    (lambda a, b: a.new_zeros(2, 3, 5).baddbmm(a, b), [(2, 3, 4), (2, 4, 5)]),
    (lambda a, b: torch.addbmm(a.new_zeros(3, 5), a, b), [(2, 3, 4), (2, 4, 5)]),
    (lambda a, b: torch.addmv(a.new_zeros(3), a, b), [A, V]),
    (lambda a, b: torch.einsum("bhid,bhjd->bhij", a, b), [(2, 2, 3, 4), (2, 2, 5, 4)]),
    (lambda a, b: torch.einsum("...ij, jk", a, b), [(2, 2, 3, 4), B]),
    (lambda a, b: torch.einsum("bi,bo->io", a, b), [(2, 3), (2, 5)]),
    (lambda a, b: torch.einsum("...i,...i->...", a, b), [(2, 1, 3), (4, 3)]),
    (lambda a, b, c: torch.einsum("bi,oij,bj->bo", a, b, c), [(2, 3), (4, 3, 5), (2, 5)]),
    (F.bilinear, [(2, 3), (2, 5), (4, 3, 5)]),
]


@pytest.mark.parametrize(("function", "shapes"), PRODUCTS)
def test_spikes_meet_spikes(function: Any, shapes: list[tuple[int, ...]]) -> None:
    operands = [spikes(*shape) for shape in shapes]
    # a product of magnitudes, added up, is the number of meetings
    expected = function(*(x.abs().double() for x in operands)).sum()
    if function is F.bilinear:
        operands[2] = torch.ones(shapes[2])
        expected = F.bilinear(*(x.abs().double() for x in operands)).sum()
    assert formula_count(lambda: function(*operands)) == expected


@pytest.mark.parametrize(("function", "shapes"), PRODUCTS)
def test_a_dense_operand_is_one_everywhere(function: Any, shapes: list[tuple[int, ...]]) -> None:
    operands = [spikes(*shape) for shape in shapes]
    for dense in itertools.product([False, True], repeat=2):
        chosen = [(i < 2 and dense[i]) or i == 2 for i in range(len(operands))]
        values = [torch.ones_like(x) if c else x for x, c in zip(operands, chosen, strict=True)]
        expected = function(*(x.abs().double() for x in values)).sum()
        ones = tuple(x for x, c in zip(operands, chosen, strict=True) if c)
        assert formula_count(lambda: function(*operands), dense=ones) == expected


def test_queries_meet_keys_and_values_meet_dense_weights() -> None:
    q, k, v = spikes(2, 6, 3, 4), spikes(2, 6, 5, 4), spikes(2, 6, 5, 7)
    scores = (q.abs() @ k.abs().mT).sum()
    weighted = v.abs().sum() * 3
    assert formula_count(lambda: F.scaled_dot_product_attention(q, k, v)) == scores + weighted


def test_grouped_keys_are_heard_by_every_query_head() -> None:
    q, k, v = spikes(2, 6, 3, 4), spikes(2, 2, 5, 4), spikes(2, 2, 5, 4)
    grouped = formula_count(lambda: F.scaled_dot_product_attention(q, k, v, enable_gqa=True))
    k, v = (x.repeat_interleave(3, 1) for x in (k, v))
    assert grouped == formula_count(lambda: F.scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize(
    "layer",
    [nn.RNNCell(3, 4), nn.RNNCell(3, 4, nonlinearity="relu"), nn.LSTMCell(3, 4), nn.GRUCell(3, 4)],
)
def test_cells(layer: nn.Module) -> None:
    x, h = spikes(2, 3), spikes(2, 4)
    state = (h, torch.zeros(2, 4)) if isinstance(layer, nn.LSTMCell) else h
    gates = layer.weight_ih.shape[0]
    assert formula_count(lambda: layer(x, state)) == (x.abs().sum() + h.abs().sum()) * gates


LAYERS = [(nn.RNN, 1, {}), (nn.LSTM, 4, {}), (nn.GRU, 3, {}), (nn.LSTM, 4, {"proj_size": 2})]


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # of a missing fast path
@pytest.mark.parametrize(("kind", "gates", "more"), LAYERS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers(kind: Any, gates: int, more: dict[str, int], bidirectional: bool) -> None:
    x = spikes(5, 2, 3)
    layer = kind(3, 4, num_layers=2, bidirectional=bidirectional, **more)
    steps, directions, out = 5 * 2, 1 + bidirectional, more.get("proj_size", 4)
    first = x.abs().sum() * gates * 4
    dense = steps * gates * 4 * (out + out * directions + out)  # hidden, second input, its hidden
    dense += 2 * steps * 4 * out if more else 0
    assert formula_count(lambda: layer(x)) == (first + dense) * directions
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 5]))
    assert formula_count(lambda: layer(packed)) == (first + dense) * directions


def test_multi_head_attention() -> None:
    q, k, v = spikes(3, 2, 4), spikes(5, 2, 6), spikes(5, 2, 8)
    layer = nn.MultiheadAttention(4, 2, kdim=6, vdim=8)
    projections = 4 * (q.abs().sum() + k.abs().sum() + v.abs().sum())
    dense = 2 * (2 * 3 * 5 * 4) + 3 * 2 * 4 * 4
    assert formula_count(lambda: layer(q, k, v)) == projections + dense
    same = nn.MultiheadAttention(4, 2)
    x = spikes(3, 2, 4)
    dense = 2 * (2 * 3 * 3 * 4) + 3 * 2 * 4 * 4
    assert formula_count(lambda: same(x, x, x)) == 3 * 4 * x.abs().sum() + dense


def test_a_token_is_one_spike_that_reaches_its_row() -> None:
    layer, tokens = nn.Embedding(5, 4), torch.tensor([[0, 2], [2, 4]])
    with torch.no_grad():
        layer.weight[2, :3] = 0
    assert formula_count(lambda: layer(tokens)) == 4 * 4
    assert formula_count(lambda: layer(tokens), nonzero=True) == 4 + 1 + 1 + 4


def test_bilinear_layers_with_pruned_weights() -> None:
    layer = nn.Bilinear(3, 5, 4)
    with torch.no_grad():
        layer.weight.mul_(torch.rand_like(layer.weight) < 0.5)
    a, b = spikes(2, 3), spikes(2, 5)
    expected = F.bilinear(a.abs(), b.abs(), (layer.weight != 0).float()).sum()
    assert formula_count(lambda: layer(a, b), nonzero=True) == expected
    flat = nn.Linear(3, 4)
    assert formula_count(lambda: flat(a), nonzero=True) == impulse_count(flat, a, True)


@pytest.mark.parametrize(
    "call", [lambda a: torch.einsum("ii,ij->j", a, a), lambda a: torch.linalg.multi_dot([a, a, a])]
)
def test_what_no_formula_covers_says_so(call: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"diagonal|chain"):
        formula_count(lambda: call(spikes(3, 3)))


@pytest.mark.parametrize(
    ("attention", "synops"),
    [
        (lambda q, k, v: (q @ k.mT) @ v, 16),
        (lambda q, k, v: (q[:, :, None] * k[:, None]).sum(-1) @ v, 24),
    ],
)
def test_one_attention_has_the_two_numbers_that_the_page_on_limits_gives(
    attention: Callable[..., Tensor], synops: int
) -> None:
    class Attention(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return attention(q, k, v)

    with Monitor(Attention()) as monitor:
        monitor.model(*(torch.ones(1, 2, 2) for _ in range(3)))
    assert monitor.synops.per_sample.total == synops


def test_every_entry_is_a_function_that_torch_lets_be_overridden() -> None:
    overridable = {
        f for functions in torch.overrides.get_overridable_functions().values() for f in functions
    }
    unknown = {getattr(f, "__name__", f) for f in FORMULAS if f not in overridable}
    assert unknown <= {"__matmul__", "__rmatmul__", "matmul"}, unknown
