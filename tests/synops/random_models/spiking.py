"""Kinds of nodes that make spikes, and those that leave or take them by their mode: neurons, thresholds, dropout, normalisation."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.layers import IAF, LIF
from tests.models.neurons import Heaviside
from tests.synops.random_models.draft import Call, Draft, Folded, folded
from tests.synops.random_models.values import dense, spikes

snntorch = pytest.importorskip("snntorch")
FAR = 1e-7  # nearer to the threshold, rounding would decide


def _integrated(x: Tensor, alpha: float, gain: float) -> tuple[Tensor, float]:
    """Spikes of neurons that send floor(v) of them and lose as much; how near v came to a whole number."""
    v = torch.zeros_like(x[:, 0])
    out, nearest = [], 1.0
    for t in range(x.shape[1]):
        v = alpha * v + gain * x[:, t]
        whole = v.round()
        nearest = min(
            nearest, (v - whole).abs()[(whole > 0)].min().item() if (whole > 0).any() else 1.0
        )
        s = v.floor().clamp(min=0)
        v = v - s
        out.append(s)
    return torch.stack(out, 1), nearest


def neuron(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i].value
    if d.coin():
        layer: nn.Module = IAF()
        made, nearest = _integrated(x, 1.0, 1.0)
    else:
        tau = d.one_of([2.0, 5.0])
        layer = LIF(tau_mem=tau)
        alpha = torch.exp(torch.tensor(-1 / tau, dtype=torch.float64)).item()
        made, nearest = _integrated(x, alpha, 1 - alpha)
    if nearest > FAR:
        d.put(layer, [i], spikes(made))


def loop_of_snntorch(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i].value

    def run(module: Any, x: Tensor) -> Tensor:
        mem = module.leaky.init_leaky()
        out = []
        for t in range(x.shape[1]):
            spike, mem = module.leaky(x[:, t], mem)
            out.append(spike.to(x.dtype))  # it makes float32 of any
        return torch.stack(out, dim=1)

    mem, made, nearest = torch.zeros_like(x[:, 0]), [], 1.0
    for t in range(x.shape[1]):
        mem = 0.5 * mem + x[:, t] - (mem > 1).double()
        nearest = min(nearest, (mem - 1).abs().min().item())
        made.append((mem > 1).double())
    if nearest > FAR:
        leaky = snntorch.Leaky(beta=0.5)
        d.put(Call(run, leaky=leaky), [i], spikes(torch.stack(made, 1)))


def threshold(d: Draft) -> None:
    """Comparisons, written in many ways; a value in the middle is the threshold."""
    i = d.take()
    assert i is not None
    x = d.values[i].value
    sorted_ = x.flatten().sort().values
    at = sorted_[len(sorted_) // 2 : len(sorted_) // 2 + 2].mean().item()

    def written(_: Any, x: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        out[x > at] = 1.0
        return out

    spellings: list[Any] = [
        written,
        lambda _, x: torch.where(x > at, torch.ones_like(x), torch.zeros_like(x)),
        lambda _, x: torch.zeros_like(x).masked_fill_(x > at, 1.0),
        lambda _, x: torch.clamp(torch.ceil(x - at), 0, 1),
        lambda _, x: (x > at).to(x.dtype),
        lambda _, x: torch.gt(x, at).double(),
        lambda _, x: x.ge(at).type_as(x),
        lambda _, x: torch.where(x > at, 1.0, 0.0).to(x.dtype),
        lambda _, x: Heaviside.apply(x - at),
        lambda _, x: torch.heaviside(x - at, torch.zeros((), dtype=x.dtype)),
        lambda _, x: (x - at).sign(),
        lambda _, x: torch.round(x * 1.3),
        lambda _, x: ((x > at) * 1.0).to(x.dtype),
    ]
    near = (x - at).abs().min() < FAR or ((x * 1.3).frac().abs() - 0.5).abs().min() < FAR
    function = d.one_of(spellings)
    if not near:
        d.put(Call(function), [i], spikes(function(None, x)))


def dropout(d: Draft) -> None:
    i = d.take_uniform()
    if i is None:
        return
    x = d.values[i]
    p, seed, training = d.one_of([0.25, 0.5]), d.number(0, 999), d.coin(0.7)

    def run(module: Any, x: Tensor) -> Tensor:
        torch.manual_seed(seed)
        x = x.contiguous()  # its mask follows the strides
        return F.dropout(x, p, training) if module is None else module.layer(x)

    state = torch.get_rng_state()
    value = run(None, x.value)
    torch.set_rng_state(state)
    layer = nn.Dropout(p).train(training)
    unit = x.number * (1 / (1 - p) if training else 1.0) if x.spikes else 1.0
    d.put(Call(run, layer=layer), [i], spikes(value, unit) if x.spikes else dense(value))


_NORMS: dict[int, Any] = {
    1: nn.BatchNorm1d,
    2: nn.BatchNorm1d,
    3: nn.BatchNorm2d,
    4: nn.BatchNorm3d,
}


def normalisation(d: Draft) -> None:
    i = d.take()
    assert i is not None
    x = d.values[i].value
    layer: nn.Module
    if d.coin(0.6):
        layer = _NORMS[x.ndim - 2](x.shape[2]).double().train(d.coin())
        value = folded(lambda y: F.batch_norm(y, None, None, layer.weight, layer.bias, True) if layer.training
                       else y / (1 + 1e-5) ** 0.5)(x)  # fmt: skip
        layer = Folded(layer, d.number(0, 1))
    else:
        layer = nn.LayerNorm(x.shape[-1]).double()
        value = layer(x)
    d.put(layer, [i], dense(value))


SPIKING = [
    neuron,
    neuron,
    neuron,
    neuron,
    loop_of_snntorch,
    threshold,
    threshold,
    threshold,
    dropout,
    normalisation,
]
