"""Kinds of nodes as awkward models have them: weights made from weights, calls in disguise, rarer functions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

from tests.synops.random_models.draft import Call, Draft, Folded, folded, weight
from tests.synops.random_models.values import Value, arrivals, dense, meetings, moved, spikes


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


# ---- rarer moves


def scale(d: Draft) -> None:
    """By one learned number: a spike is worth that."""
    i = d.take_uniform()
    if i is None:
        return
    x = d.values[i]
    g = nn.Parameter(torch.tensor([d.one_of([0.7, -1.3])], dtype=torch.float64))
    spellings: list[Any] = [
        lambda m, x: x * m.g,
        lambda m, x: m.g * x,
        lambda m, x: x * m.g.exp(),
        lambda m, x: x / m.g,
    ]
    function = d.one_of(spellings)
    call = Call(function, g=g)
    with torch.no_grad():
        value, factor = (
            call(x.value),
            function(call, torch.ones(1, dtype=torch.float64)).abs().item(),
        )
    out = (
        Value(value, torch.full_like(value, x.number * factor), "learned")
        if x.spikes
        else dense(value)
    )
    d.put(call, [i], out)


def worth_a_threshold(d: Draft) -> None:
    """Steps that are each scaled by the same learned number, then put together."""
    i = d.take_uniform()
    if i is None:
        return
    x = d.values[i]
    g = nn.Parameter(torch.tensor([0.7], dtype=torch.float64))

    def run(m: Any, x: Tensor) -> Tensor:
        return torch.stack([x[:, t] * m.g.data for t in range(x.shape[1])], dim=1)

    call = Call(run, g=g)
    value = call(x.value)
    if x.spikes:
        d.put(call, [i], Value(value, torch.full_like(value, x.number * 0.7), "learned"))
    else:
        d.put(call, [i], dense(value))


def logic(d: Draft) -> None:
    i = d.take()
    assert i is not None
    j = d.partner(i)
    assert j is not None
    n = d.values[i].value.shape[-1]
    spellings: list[Any] = [
        lambda _, a, b: ((a > 0) & (b > 0)).to(a.dtype),
        lambda _, a, b: torch.logical_or(a > 0, b > 0).to(a.dtype),
        lambda _, a, b: ((a > 0) ^ (b > 0)).to(a.dtype),
        lambda _, a, b: (~(a > b)).to(a.dtype),
        lambda _, a, b: a.eq(b).to(a.dtype),
        lambda _, a, b: F.one_hot(a.argmax(-1), n).to(a.dtype),
        lambda _, a, b: torch.zeros_like(a).scatter(-1, a.topk(1, -1).indices, 1.0),
        lambda _, a, b: torch.zeros_like(a).masked_fill(a > b, 1.0),
    ]  # fmt: skip
    function = d.one_of(spellings)
    a, b = d.values[i].value, d.values[j].value
    d.put(Call(function), [i, j], spikes(function(None, a, b)))


def scattered(d: Draft) -> None:
    """Edges of a graph that end in one node add up."""
    i = d.take_uniform()
    if i is None:
        return
    x = d.values[i]
    n = x.value.shape[-1]
    index = torch.randint(0, 3, (n,))
    spellings: list[Any] = [
        lambda _, x: torch.zeros(*x.shape[:-1], 3, dtype=x.dtype).index_add(-1, index, x),
        lambda _, x: x.new_zeros(*x.shape[:-1], 3).scatter_add_(-1, index.expand(x.shape), x),
        lambda _, x: torch.diff(x, dim=1, prepend=torch.zeros_like(x[:, :1])),
        lambda _, x: torch.zeros_like(x).copy_(x),
        lambda _, x: x.index_copy(-1, torch.tensor([0]), x[..., -1:]),
    ]
    function = d.one_of(spellings)
    value = function(None, x.value)
    d.put(Call(function), [i], spikes(value, x.number) if x.spikes else dense(value))


def poisson_code(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i].value
    seed = d.number(0, 999)

    def run(_: Any, x: Tensor) -> Tensor:
        torch.manual_seed(seed)
        return torch.bernoulli(torch.sigmoid(x.contiguous()))

    state = torch.get_rng_state()
    value = run(None, x)
    torch.set_rng_state(state)
    d.put(Call(run), [i], spikes(value))


def gate(d: Draft) -> None:
    """Of a token or a channel: one value for a whole axis."""
    i = d.take_uniform((2, 3))
    if i is None:
        return
    x = d.values[i]

    def run(_: Any, x: Tensor) -> Tensor:
        return (x.sum(-1, keepdim=True) > 0) * x

    def spiking(_: Any, x: Tensor) -> Tensor:
        return torch.mul((x.amax(2, keepdim=True) > 0).to(x.dtype), x)

    function = d.one_of([run, spiking])
    value = function(None, x.value)
    d.put(Call(function), [i], spikes(value, x.number) if x.spikes else dense(value))


def smoothed(d: Draft) -> None:
    i = d.take((3,))
    if i is None:
        return
    x = d.values[i].value
    functions: list[Any] = [
        lambda y: F.interpolate(y, scale_factor=2, mode="bilinear"),
        lambda y: F.normalize(y, dim=1),
        lambda y: y.softmax(1),
        lambda y: y.std(1, keepdim=True) + y,
    ]
    function = folded(d.one_of(functions))
    d.put(Call(lambda _, x: function(x)), [i], dense(function(x)))


def rearranged(d: Draft) -> None:
    i = d.take((2, 3))
    if i is None:
        return
    x = d.values[i]
    layer = nn.ChannelShuffle(2)
    if x.value.ndim == 5 and x.value.shape[2] % 2 == 0:
        d.put(Folded(layer, 0), [i], moved(x, folded(layer)))
        return
    functions: list[Any] = [
        lambda x: torch.rot90(x, 1, (-2, -1)),
        lambda x: x.diagonal(dim1=-2, dim2=-1),
        lambda x: torch.cat([x[..., 1:], x[..., :1]], -1),
        lambda x: torch.stack(list(x.unbind(2)), 2),
        lambda x: x.view(*x.shape[:2], -1) if x.is_contiguous() else x.flatten(2),
    ]
    if x.same != "map":
        functions.append(lambda x: x.as_strided(x.shape, x.stride()))
    function = d.one_of(functions)
    value = x.value.contiguous()
    unit = None if x.unit is None else function(x.unit.contiguous())
    d.put(Call(lambda _, x: function(x.contiguous())), [i], Value(function(value), unit, x.same))


AWKWARD = [
    disguised_linear, disguised_linear, spelt_linear, spelt_linear, spelt_linear, buffer_matrix, grouped_linear, three_operands, more_products,
    multi_head_attention, bag, unrolled_convolution, scale, worth_a_threshold, logic, scattered, poisson_code, gate, smoothed, rearranged,
]  # fmt: skip
