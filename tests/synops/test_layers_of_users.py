"""Layers of the user's that are subclasses of Picojoule's, or of another library's: their values tell what a spike is worth."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule
from picojoule import Monitor
from picojoule.layers import IAF, LIF, SqueezeMixin, StatefulLayer

B, T = 2, 5
SIGNS = torch.tensor([1.0, -1.0, 1.0, 0.0])  # 3 spikes a step


class Mine(StatefulLayer):
    """`b t n`; gives what `values` says, at each step."""

    def __init__(self, *values: Tensor) -> None:
        super().__init__(["v_mem"])
        self.values = values
        self.calls = 0

    @property
    def does_spike(self) -> bool:
        return True

    def forward(self, data: Tensor) -> Tensor:
        self.calls += 1
        return self.values[(self.calls - 1) % len(self.values)].expand_as(data) + 0 * data


def counted(layer: nn.Module, passes: int = 2, x: Tensor | None = None) -> list[tuple[Any, ...]]:
    """SynOps and MACs of the layer behind, and spikes by the firing rate, per sample, in each pass."""
    model = nn.Sequential(layer, nn.Linear(4, 2, bias=False))
    monitor, found = Monitor(model), []
    for _ in range(passes):
        picojoule.reset_states(model)
        with monitor, torch.no_grad():
            model(torch.ones(B, T, 4) if x is None else x)
        rate = monitor.rates["0"].sum().item() * T if "0" in monitor.rates else None
        found.append(
            (
                pytest.approx(monitor.synops.per_sample["1"].item()),
                monitor.macs.per_sample["1"].item(),
                None if rate is None else pytest.approx(rate),
            )
        )
    return found


def spikes(number: int) -> tuple[float, float, float]:
    """That many spikes a sample, each of which reaches 2 neurons."""
    return number * 2, 0, number


@pytest.mark.parametrize(
    ("values", "number"),
    [
        (SIGNS, 3 * T),
        (SIGNS * 0.5, 3 * T),
        (SIGNS.abs() * 0.3, 3 * T),
        (2 * SIGNS.abs(), 6 * T),  # whole numbers are as many spikes, as in our own layers
        (torch.tensor([0.5, 1.5, 0.0, -1.0]), 6 * T),  # of a half each
        (torch.zeros(4), 0),
    ],
    ids=str,
)
def test_spikes_of_a_stateful_layer_of_the_users(values: Tensor, number: int) -> None:
    assert counted(Mine(values)) == [spikes(number)] * 2


def test_values_without_a_unit_are_dense() -> None:
    assert counted(Mine(torch.tensor([0.31, 0.77, 0.0, 0.31]))) == [(0, T * 4 * 2, None)] * 2


def test_a_layer_that_was_silent_at_first() -> None:
    found = counted(Mine(torch.zeros(4), 2 * SIGNS, SIGNS * 0.5), passes=3)
    assert found == [spikes(0), spikes(6 * T), spikes(3 * T)]


class Scaled(IAF):
    """Spikes are worth a half."""

    def forward(self, data: Tensor) -> Tensor:
        return 0.5 * super().forward(data)


class Negative(LIF):
    def forward(self, data: Tensor) -> Tensor:
        return -super().forward(data)


class Renamed(IAF):
    """Has nothing of its own that matters."""

    def extra_repr(self) -> str:
        return "mine"


class Folded(IAF, SqueezeMixin):
    """Written as for sinabs."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze_init(B, None)

    def forward(self, data: Tensor) -> Tensor:
        return self.squeeze_forward(data, super().forward)


def replaced() -> nn.Module:
    layer = IAF()
    plain = layer.forward
    layer.forward = lambda data: 0.25 * plain(data)  # type: ignore[method-assign]
    return layer


@pytest.mark.parametrize(
    ("make", "current"),
    [(Scaled, 1), (lambda: Negative(1e9, norm_input=False), 2), (Renamed, 2), (replaced, 1)],
    ids=["Scaled", "Negative", "Renamed", "replaced"],
)
def test_subclasses_of_ours(make: Callable[[], nn.Module], current: int) -> None:
    """A current of 2 makes two spikes a step."""
    x = torch.full((B, T, 4), 1.001 * current)
    assert counted(make(), x=x) == [spikes(current * 4 * T)] * 2


def test_a_folded_subclass_of_ours() -> None:
    model = nn.Sequential(Folded(), nn.Linear(4, 2))
    with Monitor(model) as monitor:
        model(torch.full((B * T, 4), 2.0))
    assert monitor.report().num_timesteps == T
    assert monitor.synops.per_sample["1"].item() == 2 * 4 * T * 2


@pytest.mark.filterwarnings("ignore:(?!Monitor)")
def test_a_subclass_of_sinabs_layer() -> None:
    sinabs = pytest.importorskip("sinabs.layers")

    class Halved(sinabs.IAF):  # type: ignore[misc]
        def forward(self, data: Tensor) -> Tensor:
            return -0.5 * super().forward(data)

    assert counted(Halved(), passes=1) == [spikes(4 * T)]
    assert counted(sinabs.IAF(), passes=1) == [spikes(4 * T)]


@pytest.mark.filterwarnings("ignore:(?!Monitor)")
def test_a_subclass_of_snntorch_neuron() -> None:
    snntorch = pytest.importorskip("snntorch")

    class Halved(snntorch.Leaky):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Tensor:
            return -0.5 * super().forward(x)

    for kind in (Halved, snntorch.Leaky):
        model = nn.Sequential(kind(beta=0.5, init_hidden=True), nn.Linear(4, 2))
        with Monitor(model) as monitor:
            out = model[0](torch.full((B, 4), 3.0)).abs().sign().sum().item()
            model[0].reset_mem()
            model(torch.full((B, 4), 3.0))
        assert out == B * 4
        assert monitor.synops.per_sample["1"].item() == 4 * 2
        assert monitor.rates["0"].tolist() == [1.0] * 4
