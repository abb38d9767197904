"""Kinds of nodes whose functions are hidden from who looks at PyTorch's functions, or whose products are spelt element by element.

Each is drawn by name; the Monitor may count it, or say that it cannot.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.synops.random_models.draft import Call, Draft, folded, weight
from tests.synops.random_models.values import arrivals, dense, meetings, moved


def _compiled(d: Draft, compile_: Any) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i]
    layer = nn.Linear(x.value.shape[-1], d.number(1, 4)).double()
    plain = nn.Sequential(layer, nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = compile_(plain, x.value)
    outside = (
        nn.Sequential(module, nn.Identity())
        if d.coin()
        else Call(lambda m, x: m.part(x), part=module)
    )
    spent = arrivals(x, lambda counts: counts * layer.out_features)
    d.put(outside, [i], dense(F.relu(layer(x.value))), spent=spent)


def scripted(d: Draft) -> None:
    _compiled(d, lambda module, _: torch.jit.script(module))


def traced(d: Draft) -> None:
    _compiled(d, lambda module, x: torch.jit.trace(module, x))


def exported(d: Draft) -> None:
    _compiled(d, lambda module, x: torch.export.export(module, (x,)).module())


def aten(d: Draft) -> None:
    """Operators by their own names."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    w = weight(d.number(1, 4), x.value.shape[-1])
    ops: Any = torch.ops.aten
    spellings: list[Any] = [
        lambda m, x: ops.linear(x, m.w),
        lambda m, x: ops.linear.default(x, m.w, None),
        lambda m, x: ops.matmul.default(x, m.w.t()),
        lambda m, x: ops.mm(x.flatten(0, -2), ops.t(m.w)).unflatten(0, x.shape[:-1]),
        lambda m, x: ops.einsum("...i,oi->...o", [x, m.w]),
    ]
    spent = arrivals(x, lambda counts: counts * w.shape[0])
    d.put(Call(d.one_of(spellings), w=w), [i], dense(F.linear(x.value, w)), spent=spent)


def aten_moves(d: Draft) -> None:
    i = d.take()
    assert i is not None
    ops: Any = torch.ops.aten
    function = d.one_of(
        [
            lambda x: ops.flip(x, [-1]),
            lambda x: ops.clone.default(x),
            lambda x: ops.transpose.int(x, 2, -1),
            lambda x: ops.cat.default([x, x], -1),
        ]
    )
    d.put(Call(lambda _, x: function(x)), [i], moved(d.values[i], function))


def sparse(d: Draft) -> None:
    """A graph of given edges: what is not stored is no synapse."""
    i = d.take((1,))
    if i is None:
        return
    x = d.values[i]
    n = x.value.shape[-1]
    graph = torch.rand(d.number(1, 5), n, dtype=torch.float64)
    graph = torch.where(graph < 0.5, graph + 0.1, 0.0)
    edges = (graph != 0).double()
    stored = graph.to_sparse() if d.coin() else graph.to_sparse_csr()
    spellings: list[Any] = [
        lambda m, x: (m.graph @ x.flatten(0, 1).t()).t().unflatten(0, x.shape[:2]),
        lambda m, x: torch.sparse.mm(m.graph, x.flatten(0, 1).t()).t().unflatten(0, x.shape[:2]),
    ]
    spent = arrivals(x, lambda counts: counts @ edges.t())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CSR is in beta state
        d.put(Call(d.one_of(spellings), graph=stored), [i], dense(x.value @ graph.t()), spent=spent)


# ---- hidden calls


@torch.library.custom_op("picojoule_tests::rows_times", mutates_args=())
def rows_times(x: Tensor, w: Tensor) -> Tensor:
    return x @ w.t()


def custom_operator(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i]
    w = weight(d.number(1, 4), x.value.shape[-1])
    spent = arrivals(x, lambda counts: counts * w.shape[0])
    d.put(Call(lambda m, x: rows_times(x, m.w), w=w), [i], dense(F.linear(x.value, w)), spent=spent)


def vmapped(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i]
    layer = nn.Linear(x.value.shape[-1], d.number(1, 4)).double()
    spent = arrivals(x, lambda counts: counts * layer.out_features)
    d.put(
        Call(lambda m, x: torch.vmap(m.layer)(x), layer=layer),
        [i],
        dense(layer(x.value)),
        spent=spent,
    )


def compiled(d: Draft) -> None:
    _compiled(d, lambda module, _: torch.compile(module, backend="eager"))


def data_parallel(d: Draft) -> None:
    _compiled(d, lambda module, _: nn.DataParallel(module))


# ---- element by element


def one_to_one(d: Draft) -> None:
    """A weight for each spike."""
    i = d.take(fits=lambda x: x.spikes and x.value.shape[-1] > 1)
    if i is None:
        return
    x = d.values[i]
    w = weight(x.value.shape[-1])
    d.put(
        Call(lambda m, x: x * m.w, w=w),
        [i],
        dense(x.value * w),
        spent=arrivals(x, lambda counts: counts),
    )


def broadcast_linear(d: Draft) -> None:
    """A linear layer as a product that is spread over both, and a sum."""
    i = d.take(fits=lambda x: x.value.shape[-1] > 1)
    if i is None:
        return
    x = d.values[i]
    w = weight(d.number(2, 4), x.value.shape[-1])
    call = Call(lambda m, x: (x.unsqueeze(-2) * m.w).sum(-1), w=w)
    d.put(
        call,
        [i],
        dense(F.linear(x.value, w)),
        spent=arrivals(x, lambda counts: counts * w.shape[0]),
    )


def outer(d: Draft) -> None:
    """Every spike with every other, by a product that is spread over both."""
    i = d.take((1,), lambda x: x.spikes and x.value.shape[-1] > 1)
    if i is None:
        return
    j = d.partner(i, lambda x: x.spikes)
    assert j is not None
    a, b = d.values[i], d.values[j]

    def plain(q: Tensor, k: Tensor) -> Tensor:
        return q.unsqueeze(-1) * k.unsqueeze(-2)

    value = plain(a.value, b.value).tanh()
    d.put(
        Call(lambda _, q, k: plain(q, k).tanh()),
        [i, j],
        dense(value),
        spent=meetings([a, b], plain),
    )


def correlation(d: Draft) -> None:
    """A template that is data slides over data, as trackers do: a product of data with data."""
    i = d.take((2,), lambda x: x.value.shape[3] > 1)
    if i is None:
        return
    j = d.partner(i)
    assert j is not None
    a, b = d.values[i], d.values[j]

    def slide(x: Tensor, z: Tensor) -> Tensor:
        template = z[0, 0, :, :2].unsqueeze(0)
        return folded(lambda y: F.conv1d(y, template))(x)

    d.put(
        Call(lambda _, x, z: slide(x, z)),
        [i, j],
        dense(slide(a.value, b.value)),
        spent=meetings([a, b], slide),
    )


OPAQUE = {
    kind.__name__: kind
    for kind in (
        scripted, traced, exported, aten, aten_moves, sparse, custom_operator, vmapped, compiled, data_parallel,
        one_to_one, broadcast_linear, outer, correlation,
    )
}  # fmt: skip
