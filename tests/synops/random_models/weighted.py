"""Kinds of nodes with synapses: layers and functions, shared ones, loops over time."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.synops.random_models.draft import Call, Draft, Folded, folded, weight
from tests.synops.random_models.values import Value, arrivals, dense, meetings, spikes

CONVOLUTIONS = {2: (nn.Conv1d, F.conv1d), 3: (nn.Conv2d, F.conv2d), 4: (nn.Conv3d, F.conv3d)}
TRANSPOSED = {
    2: (nn.ConvTranspose1d, F.conv_transpose1d),
    3: (nn.ConvTranspose2d, F.conv_transpose2d),
    4: (nn.ConvTranspose3d, F.conv_transpose3d),
}


def _through(x: Value, w: Tensor) -> tuple[float, float]:
    return arrivals(x, lambda counts: counts * w.shape[0])


def linear(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i]
    layer = nn.Linear(x.value.shape[-1], d.number(1, 6), bias=d.coin()).double()
    module: nn.Module = nn.Sequential(layer, nn.Identity()) if d.coin(0.2) else layer
    d.put(module, [i], dense(layer(x.value)), spent=_through(x, layer.weight))


def shared_linear(d: Draft) -> None:
    """A layer that another node has called already."""
    known = [
        (f"n{k}", node.module)
        for k, node in enumerate(d.nodes)
        if isinstance(node.module, nn.Linear)
    ]
    if not known:
        return
    layer = d.one_of([layer for _, layer in known])
    i = d.take(fits=lambda x: x.value.shape[-1] == layer.in_features)
    if i is None:
        return
    first = next(name for name, other in known if other is layer)
    x = d.values[i]
    d.put(layer, [i], dense(layer(x.value)), spent=_through(x, layer.weight), owner=first)


def functional_linear(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i]
    w = weight(d.number(1, 6), x.value.shape[-1])
    lists = nn.ParameterList([w])
    mask = (torch.rand(w.shape) < 0.5).double()
    spellings: list[Any] = [
        (lambda m, x: F.linear(x, m.w), {"w": w}),
        (lambda m, x: x @ m.w.t(), {"w": w}),
        (lambda m, x: torch.einsum("...i,oi->...o", x, m.w), {"w": w}),
        (lambda m, x: torch.tensordot(x, m.w, dims=([-1], [1])), {"w": w}),
        (lambda m, x: F.linear(x, m.ws[0]), {"ws": lists}),
        (lambda m, x: torch.matmul(m.w, x.unsqueeze(-1)).squeeze(-1), {"w": w}),
        (lambda m, x: torch.mm(x.flatten(0, -2), m.w.T).unflatten(0, x.shape[:-1]), {"w": w}),
        (lambda m, x: torch.addmm(m.b, x.flatten(0, -2), m.w.mT).unflatten(0, x.shape[:-1]),
         {"w": w, "b": nn.Parameter(torch.zeros(w.shape[0], dtype=torch.float64))}),
        (lambda m, x: torch.inner(x, m.w), {"w": w}),
    ]  # fmt: skip
    function, parts = d.one_of(spellings)
    value = F.linear(x.value, w)
    if d.coin(0.15):  # a pruned weight is a synapse still
        function, parts = (lambda m, x: F.linear(x, m.w * m.mask)), {"w": w, "mask": mask}
        value = F.linear(x.value, w * mask)
    d.put(Call(function, **parts), [i], dense(value), spent=_through(x, w))


def convolution(d: Draft) -> None:
    i = d.take((2, 3, 4))
    if i is None:
        return
    x = d.values[i]
    axes = x.value.ndim - 3
    channels, sizes = x.value.shape[2], x.value.shape[3:]
    groups = channels if d.coin(0.3) else 1
    kernel = d.number(1, 3)
    dilation = d.number(1, 2)
    reach = dilation * (kernel - 1)
    mode = d.one_of(["zeros", "zeros", "circular", "reflect", "replicate"])
    padding = d.number(0, min(2, min(sizes) - 1))
    stride = d.number(1, 2)
    same = stride == 1 and mode == "zeros" and d.coin(0.3)
    if not same and min(sizes) + 2 * padding <= reach:
        return
    layer = CONVOLUTIONS[axes + 1][0](
        channels,
        groups * d.number(1, 2),
        kernel,
        stride=stride,
        padding="same" if same else padding,
        dilation=dilation,
        groups=groups,
        bias=d.coin(),
        padding_mode=mode,
    ).double()
    ones = torch.ones_like(layer.weight)
    convolve = CONVOLUTIONS[axes + 1][1]

    def fan_out(counts: Tensor) -> Tensor:
        """Padded zeros arrive nowhere: ones are padded with zeros, too."""
        counts = counts.flatten(0, 1)
        if same:
            before = reach // 2
            counts = F.pad(counts, [before, reach - before] * axes)
        elif padding:
            fill = "constant" if mode == "zeros" else mode
            counts = F.pad(counts, [padding] * 2 * axes, mode=fill)
        return convolve(counts, ones, None, stride, 0, dilation, groups)

    spent = arrivals(x, fan_out)
    value = folded(layer)(x.value)
    if (
        mode == "zeros" and not same and d.coin(0.3)
    ):  # the same as a function, with weights of its own
        module: nn.Module = Call(
            lambda m, x: convolve(
                x.flatten(0, 1), m.w, m.b, stride, padding, dilation, groups
            ).unflatten(0, x.shape[:2]),
            w=layer.weight,
            b=layer.bias,
        )
    else:
        module = Folded(layer, d.number(0, 2))
    d.put(module, [i], dense(value), spent=spent)


def transposed_convolution(d: Draft) -> None:
    i = d.take((2, 3, 4))
    if i is None:
        return
    x = d.values[i]
    axes, channels = x.value.ndim - 3, x.value.shape[2]
    groups = channels if d.coin(0.3) else 1
    kernel, stride, dilation = d.number(1, 3), d.number(1, 2), d.number(1, 2)
    padding = d.number(0, 1)
    more = d.number(0, 1) if max(stride, dilation) > 1 else 0
    if (min(x.value.shape[3:]) - 1) * stride - 2 * padding + dilation * (kernel - 1) + more < 0:
        return
    layer = TRANSPOSED[axes + 1][0](
        channels, groups * d.number(1, 2), kernel, stride, padding, more, groups, d.coin(), dilation
    ).double()
    ones = torch.ones_like(layer.weight)

    def fan_out(counts: Tensor) -> Tensor:
        """Every copy of the kernel laid down, then its edges cut off."""
        whole = TRANSPOSED[axes + 1][1](
            counts.flatten(0, 1), ones, None, stride, 0, 0, groups, dilation
        )
        size = folded(layer)(x.value).shape[3:]
        whole = F.pad(whole, [0, more] * axes)
        for axis, length in enumerate(size):
            whole = whole.narrow(axis + 2, padding, length)
        return whole

    value = folded(layer)(x.value)
    d.put(Folded(layer, d.number(0, 2)), [i], dense(value), spent=arrivals(x, fan_out))


def bilinear(d: Draft) -> None:
    i = d.take()
    assert i is not None
    j = d.partner(i)
    assert j is not None
    a, b = d.values[i], d.values[j]
    n = a.value.shape[-1]
    layer = nn.Bilinear(n, n, d.number(1, 3)).double()
    spent = meetings([a, b], lambda p, q: p.sum(-1) * q.sum(-1) * layer.out_features)
    d.put(layer, [i, j], dense(layer(a.value, b.value)), spent=spent)


def embedding(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i].value
    layer = nn.Embedding(4, d.number(1, 3)).double()
    index = x.abs().long() % 4
    functional = d.coin()
    call = (
        (lambda m, x: F.embedding(x.abs().long() % 4, m.layer.weight))
        if functional
        else (lambda m, x: m.layer(x.abs().long() % 4))
    )
    if x.ndim > 5:
        return
    spent = (float(index.numel() * layer.embedding_dim), 0.0)
    d.put(Call(call, layer=layer), [i], dense(layer(index)), spent=spent)


# ---- products of data with data


def products(d: Draft) -> None:
    """Attention without a softmax, and its relatives."""
    i = d.take((2, 3))
    if i is None:
        return
    j = d.partner(i)
    assert j is not None
    a, b = d.values[i], d.values[j]
    spellings: list[Any] = [
        (lambda _, q, k: q @ k.transpose(-2, -1), lambda q, k: q @ k.mT),
        (lambda _, q, k: torch.matmul(q.mT, k), lambda q, k: q.mT @ k),
        (lambda _, q, k: torch.einsum("...ic,...jc->...ij", q, k), lambda q, k: q @ k.mT),
        (lambda _, q, k: torch.bmm(q.flatten(0, -3), k.flatten(0, -3).transpose(1, 2)).unflatten(0, q.shape[:-2]),
         lambda q, k: q @ k.mT),
    ]  # fmt: skip
    function, plain = d.one_of(spellings)
    d.put(Call(function), [i, j], dense(plain(a.value, b.value)), spent=meetings([a, b], plain))


def attention(d: Draft) -> None:
    """With a softmax: its weights are dense."""
    i = d.take((2,))
    if i is None:
        return
    j = d.partner(i)
    assert j is not None
    q, k = d.values[i], d.values[j]
    scores = meetings([q, k], lambda a, b: a @ b.mT)
    queries = q.value.shape[-2]
    weighted = arrivals(k, lambda counts: counts * queries)
    value = (q.value @ k.value.mT / q.value.shape[-1] ** 0.5).softmax(-1) @ k.value
    d.put(
        Call(lambda _, q, k: F.scaled_dot_product_attention(q, k, k)),
        [i, j],
        dense(value),
        spent=(scores[0] + weighted[0], scores[1] + weighted[1]),
    )


# ---- loops over time


def recurrent(d: Draft) -> None:
    """Neurons of the model's own that hear themselves, a step at a time."""
    i = d.take((1,))
    if i is None:
        return
    x = d.values[i]
    n, m = x.value.shape[-1], d.number(2, 5)
    a, b = nn.Linear(n, m).double(), weight(m, m)

    def run(module: Any, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), m, dtype=x.dtype)
        out = []
        for t in range(x.shape[1]):
            h = (module.a(x[:, t]) + F.linear(h, module.b) > 0).to(x.dtype)
            out.append(h)
        return torch.stack(out, 1)

    with torch.no_grad():
        states = run(Call(run, a=a, b=b), x.value)
    here, back = arrivals(x, lambda c: c * m), states[:, :-1].sum().item() * m
    d.put(Call(run, a=a, b=b), [i], spikes(states), spent=(here[0] + back, here[1]))


WEIGHTED = [
    linear, linear, shared_linear, functional_linear, functional_linear, convolution, convolution, convolution,
    transposed_convolution, bilinear, embedding, products, products, attention, recurrent,
]  # fmt: skip
