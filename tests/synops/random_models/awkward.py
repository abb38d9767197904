"""Kinds of nodes with synapses as awkward models have them: weights made from weights, calls in disguise, rarer functions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from tests.synops.random_models.draft import Call, Draft, folded, weight
from tests.synops.random_models.values import arrivals, dense, meetings


class _Doubled(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return 2 * w


def disguised_linear(d: Draft) -> None:
    """A linear layer that is reparametrised, pruned, checkpointed, or called in another way than by its name."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    n, m = x.value.shape[-1], d.number(1, 5)
    layer = nn.Linear(n, m).double()
    spelling = d.number(0, 8)
    module: nn.Module = layer
    if spelling == 0:
        module = parametrizations.weight_norm(layer)
    elif spelling == 1:
        module = prune.l1_unstructured(layer, "weight", 0.5)
    elif spelling == 2:
        torch.nn.utils.parametrize.register_parametrization(layer, "weight", _Doubled())
    elif spelling == 3:
        module = Call(lambda m, x: checkpoint(m.layer, x, use_reentrant=False), layer=layer)
    elif spelling == 4:
        module = Call(lambda m, x: m.layer.forward(x), layer=layer)
    elif spelling == 5:
        module = Call(
            lambda m, x: torch.func.functional_call(m.layer, {"weight": -m.layer.weight}, x),
            layer=layer,
        )
    elif spelling == 6:
        module = Call(
            lambda m, x: F.linear(x.float(), m.layer.weight.float()).double(), layer=layer
        )
    elif spelling == 7:
        module = torch.fx.symbolic_trace(nn.Sequential(layer, nn.Tanh()))
    else:
        module = nn.ModuleDict({"a": layer})
        module = Call(lambda m, x: next(part(x) for part in m.parts.values()), parts=module)
    with torch.no_grad():
        value = module(x.value)
    d.put(module, [i], dense(value), spent=arrivals(x, lambda c: c * m))


def spelt_linear(d: Draft) -> None:
    """A matrix product in rarer spellings: arguments by name, in lists, in place, with factors."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    n, m = x.value.shape[-1], d.number(1, 5)
    w = weight(m, n)
    rows = x.value.shape[:-1]

    def by_rows(function: Any) -> Any:
        return lambda m, x: function(m, x.reshape(-1, n)).reshape(*rows, -1)

    spellings: list[Any] = [
        lambda m, x: F.linear(input=x, weight=m.w),
        lambda m, x: F.linear(weight=m.w, input=x, bias=None),
        lambda m, x: torch.matmul(input=x, other=m.w.t()),
        lambda m, x: torch.einsum("...i,oi->...o", [x, m.w]),
        lambda m, x: x @ m.w.adjoint(),
        lambda m, x: torch.tensordot(x, m.w.t(), 1),
        lambda m, x: torch.tensordot(m.w, x, dims=([1], [x.ndim - 1])).movedim(0, -1),
        lambda m, x: torch.linalg.matmul(x, m.w.T),
        lambda m, x: torch.linalg.vecdot(x.unsqueeze(-2), m.w),
        lambda m, x: torch.stack([torch.linalg.vecdot(x, row) for row in m.w], -1),
        by_rows(lambda m, x: torch.mm(x, mat2=m.w.t())),
        by_rows(lambda m, x: x.mm(m.w.t())),
        by_rows(lambda m, x: torch.stack([torch.mv(m.w, row) for row in x])),
        by_rows(
            lambda m, x: torch.stack([torch.stack([torch.dot(row, v) for v in m.w]) for row in x])
        ),
        by_rows(lambda m, x: torch.addmm(x.new_zeros(()), x, m.w.t(), beta=0.5, alpha=1.0)),
        by_rows(lambda m, x: x.new_zeros(len(x), len(m.w)).addmm_(x, m.w.t())),
        by_rows(lambda m, x: torch.addbmm(x.new_zeros(len(x), len(m.w)), x[None], m.w.t()[None])),
        by_rows(lambda m, x: torch.conv1d(x[..., None], m.w[..., None])[..., 0]),
        by_rows(
            lambda m, x: F.conv2d(weight=m.w[:, :, None, None], input=x[:, :, None, None]).flatten(
                1
            )
        ),
        by_rows(lambda m, x: F.conv_transpose1d(x[..., None], m.w.t()[..., None])[..., 0]),
        by_rows(lambda m, x: (m.w @ x.t()).t()),
        by_rows(lambda m, x: m.w.matmul(x.t()).transpose(0, 1)),
        by_rows(
            lambda m, x: torch.nn.utils.rnn.pad_sequence([F.linear(row, m.w) for row in x], True)
        ),
    ]
    call = Call(d.one_of(spellings), w=w)
    d.put(call, [i], dense(F.linear(x.value, w)), spent=arrivals(x, lambda c: c * m))


def buffer_matrix(d: Draft) -> None:
    """A fixed matrix, such as lateral inhibition, is synapses, too."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    n = x.value.shape[-1]
    fixed = 1 - torch.eye(n, dtype=torch.float64)
    call = Call(lambda m, x: x @ m.fixed, fixed=fixed)
    d.put(call, [i], dense(x.value @ fixed), spent=arrivals(x, lambda c: c * n))


def grouped_linear(d: Draft) -> None:
    """A matrix for each row."""
    i = d.take((2,))
    if i is None:
        return
    x = d.values[i]
    g, n = x.value.shape[2:]
    m = d.number(1, 4)
    w = weight(g, m, n)
    spellings: list[Any] = [
        lambda m, x: torch.einsum("btgi,goi->btgo", x, m.w),
        lambda m, x: (m.w @ x.unsqueeze(-1)).squeeze(-1),
        lambda m, x: (
            torch.bmm(x.flatten(0, 1).transpose(0, 1), m.w.mT)
            .transpose(0, 1)
            .unflatten(0, x.shape[:2])
        ),
    ]
    value = torch.einsum("btgi,goi->btgo", x.value, w)
    d.put(Call(d.one_of(spellings), w=w), [i], dense(value), spent=arrivals(x, lambda c: c * m))


def three_operands(d: Draft) -> None:
    i = d.take()
    assert i is not None
    j = d.partner(i)
    assert j is not None
    a, b = d.values[i], d.values[j]
    w = weight(d.number(1, 4), a.value.shape[-1])
    equation = "...i,...i,oi->...o"
    ones = torch.ones_like(w)
    spent = meetings([a, b], lambda p, q: torch.einsum(equation, p, q, ones))
    value = torch.einsum(equation, a.value, b.value, w)
    d.put(
        Call(lambda m, a, b: torch.einsum(equation, a, b, m.w), w=w),
        [i, j],
        dense(value),
        spent=spent,
    )


def more_products(d: Draft) -> None:
    """Products that are spread over an axis that one operand has not, or added to something."""
    i = d.take((2,))
    if i is None:
        return
    j = d.partner(i)
    assert j is not None
    a, b = d.values[i], d.values[j]
    spellings: list[Any] = [
        lambda q, k: q @ k[:1].mT,
        lambda q, k: torch.matmul(q.unsqueeze(2), k.mT.unsqueeze(2)).flatten(2, 3),
        lambda q, k: torch.einsum("btic,btjc->btij", q, k[:, :1]),
        lambda q, k: torch.einsum("bti...,btj...->btij", q, k),
        lambda q, k: q.matmul(k.transpose(2, 3)),
    ]
    plain = d.one_of(spellings)
    if not d.coin(0.25):
        d.put(
            Call(lambda _, q, k: plain(q, k)),
            [i, j],
            dense(plain(a.value, b.value)),
            spent=meetings([a, b], plain),
        )
        return

    def added(_: Any, q: Tensor, k: Tensor) -> Tensor:
        q, k = q.flatten(0, 1), k.flatten(0, 1)
        return torch.baddbmm(q[:, :, :1], q, k.mT).unflatten(0, (-1, 3))

    pairs = meetings([a, b], lambda q, k: q @ k.mT)
    d.put(Call(added), [i, j], dense(added(None, a.value, b.value)), spent=pairs)


def multi_head_attention(d: Draft) -> None:
    """PyTorch's own, whose projections make all else dense."""
    i = d.take((2,))
    if i is None:
        return
    x = d.values[i]
    tokens, e = x.value.shape[2:]
    layer = nn.MultiheadAttention(e, 1, batch_first=True).double()
    with torch.no_grad():
        value = folded(lambda y: layer(y, y, y)[0])(x.value)
    inside = x.value.shape[0] * x.value.shape[1] * (2 * tokens * tokens * e + tokens * e * e)
    first = arrivals(x, lambda c: 3 * e * c)
    call = Call(folded_call, layer=layer)
    d.put(call, [i], dense(value), spent=(first[0], first[1] + inside))


def folded_call(m: Any, x: Tensor) -> Tensor:
    y = x.flatten(0, 1)
    return m.layer(y, y, y)[0].unflatten(0, x.shape[:2])


def bag(d: Draft) -> None:
    i = d.take((1,))
    if i is None:
        return
    x = d.values[i].value
    layer = nn.EmbeddingBag(4, d.number(1, 3)).double()

    def run(m: Any, x: Tensor) -> Tensor:
        return m.layer(x.flatten(0, 1).abs().long() % 4).unflatten(0, x.shape[:2])

    call = Call(run, layer=layer)
    with torch.no_grad():
        value = call(x)
    d.put(call, [i], dense(value), spent=(float(x.numel() * layer.embedding_dim), 0.0))


def unrolled_convolution(d: Draft) -> None:
    """Windows laid side by side, times a matrix."""
    i = d.take((3,), lambda x: min(x.value.shape[3:]) > 1)
    if i is None:
        return
    x = d.values[i]
    w = weight(d.number(1, 3), x.value.shape[2] * 4)

    def windows(x: Tensor) -> Tensor:
        return F.unfold(x.flatten(0, 1), 2)

    spent = arrivals(x, lambda c: windows(c) * len(w))
    call = Call(lambda m, x: (m.w @ windows(x)).unflatten(0, x.shape[:2]), w=w)
    d.put(call, [i], dense((w @ windows(x.value)).unflatten(0, x.value.shape[:2])), spent=spent)


AWKWARD = [
    disguised_linear, disguised_linear, spelt_linear, spelt_linear, spelt_linear, buffer_matrix, grouped_linear,
    three_operands, more_products, multi_head_attention, bag, unrolled_convolution,
]  # fmt: skip
