"""A watched forward pass never waits for the device: nothing is read from it until somebody asks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import picojoule
from picojoule.budget import rate_shortfall, synops_excess
from picojoule.layers import IAF
from picojoule.training.networks.lenet import lenet

WAITING = (
    "_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "_unique2", "allclose",
)  # fmt: skip


class NothingWaits(TorchDispatchMode):
    """Fails where the values of a tensor decide what Python does next."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in WAITING, f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project, self.neurons = nn.Linear(8, 24), IAF()

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.neurons(self.project(x)).chunk(3, -1)
        return q @ k.transpose(-1, -2) @ v


class StraightThrough(nn.Module):
    """Whose surrogate is computed twice, so that its values tell that it cancels."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.readout = nn.Linear(8, 6), nn.Linear(6, 3)
        self.neurons = IAF()

    def forward(self, x: Tensor) -> Tensor:
        v = self.hidden(x)
        fired = torch.sigmoid(v) + ((v > 0).float() - torch.sigmoid(v)).detach()
        return self.neurons(self.readout(fired + (v.tanh() - v.tanh().detach())))


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.3).float()


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "LeNet": lambda: (lenet(2), spikes(2, 3, 1, 28, 28)),
    "straight-through": lambda: (StraightThrough(), spikes(2, 5, 8)),
    "attention": lambda: (Attention(), spikes(2, 5, 8)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("inputs", ["auto", "spikes", "dense"])
def test_counting_and_both_penalties_wait_for_nothing(name: str, inputs: Any) -> None:
    model, x = MODELS[name]()
    with picojoule.Monitor(model, inputs=inputs) as monitor:
        model(x)  # fan-outs are made once
        picojoule.reset_states(model)
        with NothingWaits():
            output = model(x)
            loss = output.sum() + synops_excess(monitor.synops.values(), 10.0)
            loss = loss + rate_shortfall(monitor.rates.values(), 0.5)
            loss.backward()
    assert loss.isfinite()


def test_the_check_itself_notices() -> None:
    with NothingWaits(), pytest.raises(AssertionError, match="waits for the device"):
        torch.ones(()).item()
