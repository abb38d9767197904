"""Kinds of nodes without synapses that are rarer: learned scales, logic, scattering, codes, gates."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.synops.random_models.draft import Call, Draft, Folded, folded
from tests.synops.random_models.values import Value, dense, moved, spikes


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


RARER = [scale, worth_a_threshold, logic, scattered, poisson_code, gate, smoothed, rearranged]
