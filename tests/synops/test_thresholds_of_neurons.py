"""A reset by a threshold of each neuron's own is no synapse, wherever the neuron is written; weights beside it are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops.watch.checks import MonitorWarning

STEPS, BATCH, IN, N, OUT = 5, 4, 8, 6, 3
Step = Callable[[Any, Tensor], tuple[Tensor, Tensor]]
X = (torch.rand(STEPS, BATCH, IN, generator=torch.Generator().manual_seed(2)) < 0.5).float()


class Fire(torch.autograd.Function):
    """Spikes of a potential and its threshold."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, threshold: Tensor) -> Tensor:
        return (v >= threshold).float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient, None


def _compared(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = (v >= self.th).float()
    return k, v - k * self.th


def _subtracted(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = torch.heaviside(v.detach() - self.th.detach(), torch.ones(()))
    return k, v - self.th * k


def _divided(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = (v / self.th >= 1).float()
    return k, v - k * self.th


def _by_a_function(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = Fire.apply(v, self.th)
    return k, torch.addcmul(v, k, self.th, value=-1)


def _positive(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    th = F.softplus(self.th)
    k = (v > th).float()
    return k, v - k * th


def _noisy(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    th = self.th + 0.01 * torch.rand(N)
    k = (v > th).float()
    return k, v - k * th


def _chosen(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = v > self.th
    return k.float(), v - torch.where(k, self.th, torch.zeros(N))


def _blanked(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = v > self.th
    return k.float(), v - self.th.expand(v.shape).masked_fill(~k, 0.0)


def _in_place(self: Any, v: Tensor) -> tuple[Tensor, Tensor]:
    k = v.ge(self.th).float()
    return k, v.clone().sub_(k.mul(self.th))


RESETS: dict[str, Step] = {
    f.__name__[1:]: f
    for f in (
        _compared,
        _subtracted,
        _divided,
        _by_a_function,
        _positive,
        _noisy,
        _chosen,
        _blanked,
        _in_place,
    )
}


class Neuron(nn.Module):
    """Integrates, and is reset by a threshold of each neuron's own."""

    def __init__(self, step: Step, trained: bool = True, shape: tuple[int, ...] = (N,)) -> None:
        super().__init__()
        self.step, th = step, torch.rand(shape) * 0.2 + 0.1
        if trained:
            self.th = nn.Parameter(th)
        else:
            self.register_buffer("th", th)

    def forward(self, x: Tensor) -> Tensor:
        v, fired = torch.zeros_like(x[0]), []
        for now in x:
            k, v = self.step(self, 0.9 * v + now)
            fired.append(k)
        return torch.stack(fired)


class Net(nn.Module):
    """A layer, neurons, and another layer; the neurons may be written in its own forward pass."""

    def __init__(self, neuron: nn.Module, inline: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inward, self.outward = nn.Linear(IN, N), nn.Linear(N, OUT)
        self.neuron, self.inline = neuron, inline

    def forward(self, x: Tensor) -> Tensor:
        currents = self.inward(x)
        self.fired = type(self.neuron).forward(self.neuron, currents) if self.inline else self.neuron(currents)  # fmt: skip
        return self.outward(self.fired)


def check(net: Net, more: Callable[[Net], float] = lambda _: 0.0, **options: Any) -> None:
    """Each pass has what arrives at the two layers, and more."""
    with warnings.catch_warnings(), Monitor(net, **options) as monitor:
        warnings.simplefilter("ignore", MonitorWarning)
        for _ in range(3):
            net(X)
            report = monitor.report()
            fired = float(net.fired.detach().sum())
            assert fired > 0
            expected = float(X.sum()) * N + fired * OUT + more(net)
            assert report.synops_per_sample * report.samples == pytest.approx(expected)
            assert report.macs_per_sample == 0


@pytest.mark.parametrize("trained", [True, False], ids=["parameter", "buffer"])
@pytest.mark.parametrize("reset", RESETS)
def test_a_reset_by_thresholds_is_no_synapse(reset: str, trained: bool) -> None:
    torch.manual_seed(1)
    neuron = Neuron(RESETS[reset], trained)
    check(Net(neuron), spiking=[Neuron])
    check(Net(neuron, inline=True), time_axis="tb")


@pytest.mark.parametrize("reset", RESETS)
def test_a_neuron_with_thresholds_of_its_own_is_found(reset: str) -> None:
    net = Net(Neuron(RESETS[reset]))
    with pytest.warns(MonitorWarning, match="Neuron"), Monitor(net) as monitor:
        net(X)
    report = monitor.report()
    assert (report.samples, report.num_timesteps) == (BATCH, STEPS)
    assert [row.name for row in report.rows] == ["inward", "neuron", "outward"]
    assert (
        report.synops_per_sample * BATCH
        == float(X.sum()) * N + float(net.fired.detach().sum()) * OUT
    )


def test_thresholds_of_each_place_on_a_map() -> None:
    class Maps(Net):
        def forward(self, x: Tensor) -> Tensor:
            maps = self.inward(x).unflatten(-1, (3, 1, 2))
            self.fired = Neuron.forward(self.neuron, maps).flatten(2)
            return self.outward(self.fired)

    for shape in ((3, 1, 2), (3, 1, 1), (1, 3, 1, 2)):
        check(Maps(Neuron(_compared, shape=shape)), time_axis="tb")


class Adaptive(nn.Module):
    """A threshold that rises by a step of each neuron's own, and a leak that spikes close."""

    def __init__(self) -> None:
        super().__init__()
        self.rho, self.gate = nn.Parameter(torch.randn(N)), nn.Parameter(torch.rand(N))

    def forward(self, x: Tensor) -> Tensor:
        v, a, k, fired = *(torch.zeros_like(x[0]) for _ in range(3)), []
        for now in x:
            a = torch.sigmoid(self.rho) * a + (1 - torch.sigmoid(self.rho)) * k
            v = v * (1 - self.gate * k) + now
            k = (v > 0.1 + a).float()
            fired.append(k)
        return torch.stack(fired)


def test_what_a_neuron_that_is_named_multiplies_spikes_by_is_its_dynamics() -> None:
    check(Net(Adaptive()), spiking=[Adaptive])
    check(Net(Adaptive()), spiking=["neuron"])


class Feedback(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(N))

    def forward(self, k: Tensor) -> Tensor:
        return k * self.weight


class Recurrent(Neuron):
    """A neuron with weights from each to itself, or to all."""

    def __init__(self, back: nn.Module) -> None:
        super().__init__(_compared)
        self.back = back

    def forward(self, x: Tensor) -> Tensor:
        v, k, fired = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for now in x:
            k, v = self.step(self, 0.9 * v + now + self.back(k))
            fired.append(k)
        return torch.stack(fired)


class ToAll(Feedback):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(N, N))

    def forward(self, k: Tensor) -> Tensor:
        return (k[:, :, None] * self.weight).sum(1)


@pytest.mark.parametrize(("back", "synapses"), [(Feedback, 1), (ToAll, N)])
def test_weights_of_a_module_beside_the_thresholds_are_synapses(back: Any, synapses: int) -> None:
    def fed_back(net: Net) -> float:
        return float(net.fired[:-1].detach().sum()) * synapses

    check(Net(Recurrent(back())), fed_back, spiking=[Recurrent])
    check(Net(Recurrent(back()), inline=True), fed_back, time_axis="tb")


def test_weights_that_values_are_taken_from_are_synapses() -> None:
    """Oja's rule holds each value against a row of the weights, which are no thresholds for that."""

    class Learning(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(IN, N))

        def forward(self, x: Tensor) -> Tensor:
            y = (x[:, :, None] * self.weight).sum(1)
            self.missing = x.sigmoid()[:, :, None] - self.weight
            return y

    x, model = X[0], Learning()
    for _ in range(3):
        with Monitor(model) as monitor:
            model(x)
            model(x)
        assert monitor.report().synops_per_sample * BATCH == float(x.sum()) * N
