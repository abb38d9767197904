"""What is computed in NumPy or in Python lists is seen by nobody; the Monitor says so."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from picojoule import Monitor
from picojoule.synops import MonitorWarning

WEIGHTS = np.random.default_rng(0).random((8, 3), dtype=np.float32)
Way = Callable[[nn.Linear, Tensor], object]


class Away(nn.Module):
    def __init__(self, way: Way) -> None:
        super().__init__()
        self.synapses, self.way = nn.Linear(8, 3), way

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        self.way(self.synapses, x)
        return x


AWAY: dict[str, Way] = {
    "weights and data": lambda layer, x: x.numpy() @ layer.weight.numpy().T,
    "data": lambda _, x: x.numpy() @ WEIGHTS,
    "weights": lambda layer, _: layer.weight.numpy(),
    "lists": lambda layer, x: (layer.weight.tolist(), x.tolist()),
    "asarray": lambda _, x: np.asarray(x) @ WEIGHTS,
    "a list of spikes": lambda layer, x: [layer.weight[:, i] for _, i in x.nonzero().tolist()],
}


@pytest.mark.parametrize("way", AWAY)
def test_it_is_said_that_products_there_are_missing(way: str) -> None:
    model = Away(AWAY[way])
    with (
        Monitor(model) as monitor,
        pytest.warns(MonitorWarning, match="values leave PyTorch in the model itself"),
    ):
        model((torch.rand(4, 8) < 0.5).float())
    assert any("leave PyTorch" in sentence for sentence in monitor.warnings)


AT_HOME: dict[str, Way] = {
    "one number": lambda _, x: x.sum().item(),
    "a condition": lambda _, x: bool(x.any()),
    "a size": lambda _, x: list(x.shape),
    "a bias": lambda layer, _: layer.bias.tolist(),
    "positions of its own": lambda _, __: torch.arange(4).tolist(),
}


@pytest.mark.parametrize("way", AT_HOME)
def test_what_is_no_product_is_not_spoken_of(way: str) -> None:
    model = Away(AT_HOME[way])
    with warnings.catch_warnings(), Monitor(model):
        warnings.simplefilter("error", MonitorWarning)
        model((torch.rand(4, 8) < 0.5).float())


def test_lengths_that_were_handed_in_may_be_a_list() -> None:
    class Lengths(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.synapses = nn.Linear(8, 3)

        def forward(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
            return [self.synapses(each[:n]) for each, n in zip(x, lengths.tolist(), strict=True)]

    model = Lengths()
    with warnings.catch_warnings(), Monitor(model):
        warnings.simplefilter("error", MonitorWarning)
        model((torch.rand(4, 6, 8) < 0.5).float(), torch.tensor([6, 5, 2, 1]))
