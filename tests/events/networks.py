"""Networks for the engine, small and of every kind of layer, whose sums are exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from picojoule import layers
from picojoule.activation import MaxSpike, MembraneReset, SingleSpike

BATCH, STEPS = 2, 6
GRID = 2.0**-8  # weights and inputs are multiples of it, so that a sum is the same in every order
HALVED = 1 / 0.6931471805599453  # the time constant of a potential that halves in a step


def iaf(**changes: Any) -> layers.IAFSqueeze:
    return layers.IAFSqueeze(batch_size=BATCH, **changes)


class Functional(nn.Module):
    """Calls a function where others have a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first = nn.Conv2d(1, 3, 3, bias=False), iaf()
        self.fc, self.last = nn.Linear(48, 5, bias=False), iaf()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.last(self.fc(self.first(self.conv(x)).flatten(1)))
        return output


class FoldedByFunctions(nn.Module):
    """Puts batch and time into one axis, and takes them apart, by functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.neurons = nn.Conv2d(1, 3, 3, bias=False), iaf()

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(self.conv(x.flatten(0, 1))).unflatten(0, (BATCH, -1))


class Residual(nn.Module):
    """Two ways from the first layer to the last, one layer called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.twice = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.merge = layers.Merge()
        self.last = nn.Conv2d(4, 2, 3)
        self.neurons = nn.ModuleList(iaf() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        a, b, c, d = self.neurons
        first = a(self.first(x))
        second = b(self.twice(first))
        third = c(self.merge(first, self.twice(second)))
        output: Tensor = d(self.last(third + second))
        return output


class CalledTwice(nn.Module):
    """The same weights take spikes, other spikes, and values."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = layers.IAF(), layers.IAF(), layers.IAF()
        self.values = layers.ExpLeak(HALVED)
        self.weights = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x)
        b = self.second(self.weights(a))
        a += b
        output: Tensor = self.last(self.weights(a) + self.weights(self.values(b)))
        return output


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "lenet": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 16, 5, bias=False), iaf(), layers.SumPool2d(2),
            nn.Conv2d(16, 12, 5, bias=False), iaf(), layers.SumPool2d(2),
            nn.Conv2d(12, 30, 2, bias=False), iaf(), nn.Flatten(), nn.Linear(30, 10, bias=False), iaf(),
        ),
        (BATCH * STEPS, 1, 20, 20),
    ),
    "strides, padding, dilation": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 5, 3, stride=2, padding=1, bias=False), iaf(),
            nn.Conv2d(5, 6, (3, 2), stride=(1, 3), padding=(2, 0), dilation=(2, 1), bias=False), iaf(),
            nn.Flatten(), nn.Linear(6 * 7 * 3, 4, bias=False), iaf(),
        ),
        (BATCH * STEPS, 2, 13, 17),
    ),
    "groups, average pooling": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, 3, groups=2, padding=1, bias=False), iaf(),
            nn.Conv2d(8, 8, 3, groups=8, padding=1), iaf(), nn.AvgPool2d(2), nn.Conv2d(8, 4, 1), iaf(),
        ),
        (BATCH * STEPS, 4, 8, 8),
    ),
    "few channels": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 2, (2, 5), stride=(1, 2), dilation=(2, 1), padding=(1, 2), bias=False), iaf(),
            nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, bias=False), layers.LIFSqueeze(tau_mem=HALVED, batch_size=BATCH),
            nn.Conv2d(4, 12, 7, padding=3), iaf(), nn.Conv2d(12, 3, 1, bias=False), iaf(), nn.Conv2d(3, 8, 3, dilation=2), iaf(),
        ),
        (BATCH * STEPS, 3, 9, 9),
    ),
    "transposed": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, output_padding=1, bias=False), iaf(),
            nn.ConvTranspose2d(6, 2, 3, dilation=2, bias=False), iaf(), layers.SumPool2d(3, 2),
            nn.Conv2d(2, 3, 3, padding="same"), iaf(),
        ),
        (BATCH * STEPS, 4, 6, 5),
    ),
    "one axis": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 6, 5, stride=2, padding=2), iaf(), nn.MaxPool1d(2), nn.Conv1d(6, 4, 3), iaf()
        ),
        (BATCH * STEPS, 3, 20),
    ),
    "three axes": (
        lambda: nn.Sequential(
            nn.Conv3d(2, 4, 3, padding=1, bias=False), iaf(), nn.AvgPool3d(2),
            nn.Conv3d(4, 3, (2, 1, 2)), iaf(), nn.Flatten(), nn.Linear(18, 5, bias=False), iaf(),
        ),
        (BATCH * STEPS, 2, 4, 6, 7),
    ),
    "a function that flattens": (Functional, (BATCH * STEPS, 1, 6, 6)),
    "functions that fold time": (FoldedByFunctions, (BATCH, STEPS, 1, 6, 6)),
    "residual": (Residual, (BATCH * STEPS, 2, 8, 8)),
    "batch norm, max pooling": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4, eps=0), iaf(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 3, 3), iaf()
        ),
        (BATCH * STEPS, 2, 9, 9),
    ),
    "borders and shifts": (
        lambda: nn.Sequential(
            nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(2, 4, 3, bias=False), iaf(),
            layers.Cropping2dLayer(((1, 0), (0, 2))), layers.ChannelShift(2), nn.Conv2d(6, 3, 2, bias=False), iaf(),
        ),
        (BATCH * STEPS, 2, 7, 6),
    ),
    "leak": (
        lambda: nn.Sequential(
            nn.Linear(10, 20, bias=False), layers.LIF(HALVED), nn.Linear(20, 12, bias=False),
            layers.LIF(HALVED, norm_input=False, spike_fn=SingleSpike, min_v_mem=-0.5),
            nn.Linear(12, 6), layers.LIF(HALVED),
        ),
        (BATCH, STEPS, 10),
    ),
    "spikes and resets": (
        lambda: nn.Sequential(
            nn.Linear(10, 20, bias=False), layers.IAF(spike_fn=SingleSpike, min_v_mem=-1.0),
            nn.Linear(20, 8, bias=False), layers.IAF(reset_fn=MembraneReset(), spike_fn=MaxSpike(2)),
            nn.Linear(8, 8), layers.IAF(spike_threshold=torch.linspace(0.5, 1.25, 4).repeat(2)),
        ),
        (BATCH, STEPS, 10),
    ),
    "recurrent": (
        lambda: nn.Sequential(
            nn.Linear(10, 12, bias=False), layers.IAFRecurrent(rec_connect=nn.Linear(12, 12)), nn.Linear(12, 3, bias=False), layers.IAF(),
        ),
        (BATCH, STEPS, 10),
    ),
    "tokens, an analog end": (
        lambda: nn.Sequential(nn.Linear(6, 8, bias=False), layers.IAF(), nn.Linear(8, 3)),
        (BATCH, STEPS, 5, 6),
    ),
    "neurons alone": (lambda: nn.Sequential(layers.IAF()), (BATCH, STEPS, 7)),
    "repeated": (
        lambda: nn.Sequential(
            layers.Repeat(nn.Conv2d(2, 3, 3)), layers.IAF(), layers.Repeat(nn.Sequential(nn.Conv2d(3, 2, 2, bias=False), nn.Identity())),
            layers.IAF(), nn.Dropout(0.5), layers.Repeat(nn.Flatten()), nn.Linear(2 * 3 * 3, 4, bias=False), layers.IAF(),
        ),
        (BATCH, STEPS, 2, 6, 6),
    ),
    "neurons behind a flatten": (
        lambda: nn.Sequential(
            iaf(), nn.Flatten(), iaf(), nn.Linear(72, 40), iaf(),
        ),
        (BATCH * STEPS, 2, 6, 6),
    ),
    "a flattened end": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), iaf(), nn.Flatten()), (BATCH * STEPS, 2, 6, 7),
    ),
    "a flatten behind poolings": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3), iaf(), layers.SumPool2d(3, 2), nn.Flatten(), layers.LIFSqueeze(tau_mem=HALVED, batch_size=BATCH),
        ),
        (BATCH * STEPS, 2, 9, 9),
    ),
    "a number for each neuron": (
        lambda: nn.Sequential(
            nn.Linear(10, 8, bias=False), layers.LIF(HALVED, spike_threshold=torch.linspace(0.5, 1.25, 4).repeat(2)),
            nn.Linear(8, 6), layers.LIF(torch.full((6,), HALVED), min_v_mem=-torch.linspace(0.5, 1.0, 2).repeat(3)),
            nn.Linear(6, 4, bias=False), layers.ALIF(HALVED, HALVED, spike_threshold=torch.tensor([0.5, 1.0, 2.0, 4.0])),
        ),
        (BATCH, STEPS, 10),
    ),
    "a layer that is called twice": (CalledTwice, (BATCH, STEPS, 6)),
    "pruned convolutions": (
        lambda: _pruned_convolutions(
            nn.Sequential(
                nn.Conv2d(2, 12, 5, padding=2, bias=False), iaf(), nn.Conv2d(12, 8, 3, stride=2, bias=False), iaf(),
                nn.ConvTranspose2d(8, 12, 3, bias=False), iaf(), nn.Conv2d(12, 12, 3, groups=2, dilation=2, bias=False), iaf(),
            )
        ),
        (BATCH * STEPS, 2, 12, 12),
    ),
    "pruned": (
        lambda: _pruned(nn.Sequential(nn.Linear(50, 64, bias=False), layers.IAF(), nn.Linear(64, 16, bias=False), layers.IAF())),
        (BATCH, STEPS, 50),
    ),
}  # fmt: skip


def _pruned(model: nn.Sequential) -> nn.Sequential:
    """One weight in twenty is left in the first layer."""
    weight = model[0].weight.data
    weight *= torch.rand(weight.shape) < 0.05
    return model


@torch.no_grad()
def _pruned_convolutions(model: nn.Sequential) -> nn.Sequential:
    """One weight in sixteen is left of each, and strong."""
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.weight *= 4 * (torch.rand(layer.weight.shape) < 1 / 16)
    return model


@torch.no_grad()
def on_grid(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, its weights and biases multiples of GRID, large enough for spikes."""
    for name, parameter in model.named_parameters():
        if name.endswith(("weight", "bias")) and parameter.requires_grad:
            parameter.copy_((parameter * 3 / GRID).round() * GRID)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.copy_(torch.tensor([0.25, 1.0, 4.0, 1.0]))
            module.running_mean.copy_(torch.tensor([0.5, -0.25, 0.0, 1.0]))
            module.weight.copy_(torch.tensor([1.0, 0.5, 2.0, 1.0]))
    return model.eval()


def network(name: str) -> tuple[nn.Module, Tensor]:
    """A network and spikes for it."""
    build, shape = NETWORKS[name]
    model = on_grid(build())
    return model, spikes(*shape)


def spikes(*shape: int, rate: float = 0.3) -> Tensor:
    """Counts: one value in three is a spike, some are two."""
    return (torch.rand(shape) < rate).float() * torch.randint(1, 3, shape)
