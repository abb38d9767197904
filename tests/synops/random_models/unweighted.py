"""Kinds of nodes that move, join, scale and pool what they are given."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.layers import SumPool2d
from tests.synops.random_models.draft import Call, Draft, Folded, folded
from tests.synops.random_models.values import Value, dense, moved, spikes, window

# ---- moves


def move(d: Draft) -> None:
    """Elements in another order or number: in the spelling of a module, a function or a method."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    n = x.value.shape[-1]
    axes = x.value.ndim - 2
    index = torch.randperm(n)
    spellings: list[Any] = [
        lambda x: x.flatten(2),
        lambda x: x.reshape(*x.shape[:2], -1),
        lambda x: torch.flip(x, [-1]),
        lambda x: x.roll(1, dims=-1),
        lambda x: x.unsqueeze(2).expand(-1, -1, 2, *x.shape[2:]).flatten(2, 3),
        lambda x: torch.repeat_interleave(x, 2, dim=-1),
        lambda x: x.repeat(*[1] * (x.ndim - 1), 2),
        lambda x: x[..., ::2],
        lambda x: x.index_select(-1, index),
        lambda x: x[..., index],
        lambda x: x.narrow(-1, 0, max(n - 1, 1)),
        lambda x: x.detach().clone(),
        lambda x: x.transpose(-1, 2).contiguous(),
        lambda x: torch.take_along_dim(x, index.expand(x.shape), dim=-1),
        lambda x: x.double().to(x.dtype),
    ]
    if axes > 1:
        order = [0, 1, *d.rng.sample(range(2, axes + 2), axes)]
        spellings += [lambda x: x.permute(order), lambda x: torch.movedim(x, 2, -1)] * 2
        spellings += [lambda x: x.unfold(-1, 2, 1).flatten(-2)] * (n > 1)
    function = d.one_of(spellings)
    d.put(Call(lambda _, x: function(x)), [i], moved(x, function))


def layer_that_moves(d: Draft) -> None:
    i = d.take((3,))
    if i is None:
        return
    x = d.values[i]
    channels = x.value.shape[2]
    layers: list[nn.Module] = [nn.Identity(), nn.Upsample(scale_factor=2), nn.Flatten()]
    if min(x.value.shape[3:]) > 1:
        layers.append(nn.ReflectionPad2d(1))
    if channels % 4 == 0:
        layers.append(nn.PixelShuffle(2))
    layer = d.one_of(layers)
    d.put(Folded(layer, d.number(0, 2)), [i], moved(x, folded(layer)))


def padded(d: Draft) -> None:
    """With zeros, which have any unit."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    pad = [d.number(0, 2), d.number(0, 1)]
    unit = None if x.unit is None else F.pad(x.unit, pad, value=1.0)
    same = x.same
    if x.unit is not None and same == "one":
        unit = torch.full_like(F.pad(x.value, pad), x.number)
    d.put(Call(lambda _, x: F.pad(x, pad)), [i], Value(F.pad(x.value, pad), unit, same))


def pieces(d: Draft) -> None:
    """Two halves, as two tensors."""
    i = d.take(fits=lambda x: x.value.shape[-1] % 2 == 0)
    if i is None:
        return
    x = d.values[i]
    n = x.value.shape[-1] // 2
    spellings: list[Any] = [
        lambda _, x: x.chunk(2, dim=-1),
        lambda _, x: torch.split(x, n, dim=-1),
        lambda _, x: torch.tensor_split(x, 2, dim=-1),
        lambda _, x: x.unflatten(-1, (2, n)).unbind(-2),
    ]
    halves = [moved(x, lambda y, at=at: y.narrow(-1, at, n)) for at in (0, n)]
    d.put(Call(d.one_of(spellings)), [i], *halves)


def joined(d: Draft) -> None:
    """Side by side: spikes of two units keep theirs."""
    i = d.take()
    assert i is not None
    x = d.values[i]
    j = d.partner(i)
    if x.spikes and d.coin():  # the unit of the other is another one
        j = d.partner(i, lambda y: y.spikes and y.number != x.number)
    if j is None:
        return
    a, b = d.values[i], d.values[j]
    spellings: list[Any] = [
        lambda _, a, b: torch.cat([a, b], dim=-1),
        lambda _, a, b: torch.stack((a, b), dim=-2).flatten(-2),
        lambda _, a, b: torch.concat((a, b), -1),
    ]
    spelling = d.number(0, 2)
    plain = (
        (lambda a, b: torch.cat([a, b], -1))
        if spelling != 1
        else (lambda a, b: spellings[1](0, a, b))
    )
    value = plain(a.value, b.value)
    if a.unit is None or b.unit is None:
        joint = dense(value)
    else:
        alike = a.same == b.same == "one" and a.number == b.number
        joint = Value(value, plain(a.unit, b.unit), "one" if alike else "map")
    d.put(Call(spellings[spelling]), [i, j], joint)


def of_two_units(d: Draft) -> None:
    """Spikes beside the same spikes of half their value."""
    i = d.take_uniform()
    if i is None:
        return
    x = d.values[i]

    def run(_: Any, x: Tensor) -> Tensor:
        return torch.cat([x, x / 2], dim=2)

    value = run(None, x.value)
    out = Value(value, run(None, x.unit), "map") if x.unit is not None else dense(value)
    d.put(Call(run), [i], out)


# ---- arithmetic


def _common_unit(a: Value, b: Value) -> float | None:
    """The finer unit of two, of which a sum of both is a whole number; None if it is not, or if one is dense."""
    if not (a.spikes and b.spikes):
        return None
    fine, coarse = sorted((a.number, b.number))
    return fine if abs(coarse / fine - round(coarse / fine)) < 1e-9 else None


def two(d: Draft) -> None:
    """Sums, differences, gates and choices of two tensors."""
    i = d.take_uniform()
    if i is None:
        return
    j = d.partner(i, lambda x: not x.spikes or x.same == "one")
    if j is None:
        return
    a, b = d.values[i], d.values[j]
    unit = _common_unit(a, b)

    def in_place(_: Any, a: Tensor, b: Tensor) -> Tensor:
        a = a.clone()
        a += b
        return a

    def filled(_: Any, a: Tensor, b: Tensor) -> Tensor:
        out = torch.zeros_like(a)
        for t in range(a.shape[1]):
            out[:, t] = a[:, t]
        return out + b

    sums: list[Any] = [
        lambda _, a, b: a + b, lambda _, a, b: torch.sub(a, b), lambda _, a, b: torch.maximum(a, b),
        lambda _, a, b: torch.where(b > 0, a, b), in_place, filled,
    ]  # fmt: skip
    gates: list[Any] = [lambda _, a, b: a * b, lambda _, a, b: torch.mul(a, b)]
    if d.coin(0.7):
        function = d.one_of(
            [sums[0], *sums[2:]] if i == j else sums
        )  # x - x is nothing, which only some tensors show
        value = function(None, a.value, b.value)
        out = dense(value) if unit is None else spikes(value, unit)
    else:
        function = d.one_of(gates)
        value = function(None, a.value, b.value)
        both = a.spikes and b.spikes
        out = spikes(value, a.number * b.number) if both else dense(value)
    d.put(Call(function), [i, j], out)


def one(d: Draft) -> None:
    """Scales, offsets and the like of one tensor."""
    i = d.take_uniform()
    if i is None:
        return
    x = d.values[i]
    u = x.number if x.spikes else 1.0
    factor = d.one_of([0.5, 2.0, -1.0, 4, 0.3])
    spellings: list[Any] = [
        (lambda _, x: x * factor, u * abs(factor)),
        (lambda _, x: factor * x, u * abs(factor)),
        (lambda _, x: x / 4, u / 4),
        (lambda _, x: -x, u),
        (lambda _, x: x.abs(), u),
        (lambda _, x: F.relu(x), u),
        (lambda _, x: x.clone().mul_(2.0), u * 2),
        (lambda _, x: 2 * u - x, u),
        (lambda _, x: x.clamp(-u, 2 * u), u),
        (lambda _, x: x.masked_fill(x < 0, 0.0), u),
        (lambda _, x: x.cumsum(1), u),
        (lambda _, x: x * (x > 0), u),
        (lambda _, x: torch.sort(x, -1).values, u),
    ]
    function, unit = d.one_of(spellings)
    value = function(None, x.value)
    d.put(Call(function), [i], spikes(value, unit) if x.spikes else dense(value))


def reduced(d: Draft) -> None:
    """Sums and means over one axis."""
    i = d.take_uniform((2, 3, 4))
    if i is None:
        return
    x = d.values[i]
    axis = d.number(2, x.value.ndim - 1)
    n = x.value.shape[axis]
    u = x.number if x.spikes else 1.0
    spellings: list[Any] = [
        (lambda _, x: x.sum(axis), u),
        (lambda _, x: torch.mean(x, dim=axis), u * (1 / n)),
        (lambda _, x: x.amax(axis), u),
    ]
    function, unit = d.one_of(spellings)
    value = function(None, x.value)
    d.put(Call(function), [i], spikes(value, unit) if x.spikes else dense(value))


def made_dense(d: Draft) -> None:
    i = d.take()
    assert i is not None
    function = d.one_of(
        [torch.tanh, torch.sigmoid, torch.exp, F.gelu, lambda x: x + 0.37, torch.sin]
    )
    d.put(Call(lambda _, x: function(x)), [i], dense(function(d.values[i].value)))


# ---- pooling

_POOLS: dict[int, list[Any]] = {
    2: [nn.AvgPool1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d],
    3: [nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, SumPool2d, nn.LPPool2d],
    4: [nn.AvgPool3d, nn.MaxPool3d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d],
}  # fmt: skip


def pool(d: Draft) -> None:
    i = d.take((2, 3, 4), lambda x: min(x.value.shape[3:]) > 1 and x.same != "map" and x.spikes)
    if i is None or d.coin(0.2):
        i = d.take((2, 3, 4), lambda x: min(x.value.shape[3:]) > 1 and x.same != "map")
    if i is None:
        return
    x = d.values[i]
    kind = d.one_of(_POOLS[x.value.ndim - 2])
    name = kind.__name__
    if name.startswith("Adaptive"):
        layer = kind(d.number(1, 3))
    elif name == "SumPool2d":
        layer = kind(2)
    elif name == "LPPool2d":
        if (x.value < 0).any():
            return
        layer = kind(1, 2)
    else:
        options: dict[str, Any] = {
            "stride": d.number(1, 2),
            "padding": d.number(0, 1),
            "ceil_mode": d.coin(),
        }
        if name.startswith("Avg"):
            options["count_include_pad"] = d.coin()
        layer = kind(2, **options)
    value = folded(layer)(x.value)
    if "Max" in name:
        out = Value(value, torch.full_like(value, x.number), x.same) if x.spikes else dense(value)
    else:
        out = window(x, folded(layer))
    d.put(Folded(layer, d.number(0, 2)), [i], out)


UNWEIGHTED = [
    move, move, move, layer_that_moves, padded, pieces, joined, of_two_units, two, two, two, one, one, reduced, made_dense,
    pool, pool, pool,
]  # fmt: skip
