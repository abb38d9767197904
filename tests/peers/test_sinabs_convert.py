"""Where sinabs' conversion is right, the converted networks fire the same spikes."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import picojoule
from picojoule.layers import NeuromorphicReLU

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")
    from_torch = pytest.importorskip("sinabs.from_torch")
    their_layers = pytest.importorskip("sinabs.layers")


def convnet(relu: type[nn.Module]) -> nn.Sequential:
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        relu(),
        nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    for parameter in model.parameters():
        parameter.data.mul_(3.0).add_(0.1)  # so that something fires at the end
    return model


@pytest.mark.parametrize("rescaling", [1.0, 7.0])
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("sizes", [{"batch_size": 3}, {"num_timesteps": 10}])
def test_the_same_spikes(rescaling: float, quantized: bool, sizes: dict[str, int]) -> None:
    arguments = {"bias_rescaling": rescaling, "add_spiking_output": True, **sizes}
    ours = picojoule.from_model(convnet(NeuromorphicReLU if quantized else nn.ReLU), **arguments)
    relu = their_layers.NeuromorphicReLU if quantized else nn.ReLU
    theirs = from_torch.from_model(convnet(relu), **arguments)
    x = (torch.rand(30, 2, 8, 8) < 0.4).float()
    for _ in range(2):  # the second time from the states of the first
        spikes = ours(x)
        assert spikes.any()
        assert torch.equal(spikes, theirs(x))


def test_the_same_activations() -> None:
    # sinabs scales the input's counts by 1000, and takes the layers in the network's order
    names = ["1", "3.1"]
    ours = picojoule.from_model(convnet(nn.ReLU), batch_size=1)
    theirs = from_torch.from_model(convnet(nn.ReLU), batch_size=1)
    x = (torch.rand(30, 2, 8, 8) < 0.4).float()
    for rate in (False, True):
        theirs.reset_states()
        expected = theirs.compare_activations(x, names, compute_rate=rate)
        came = ours.compare_activations(x, names, compute_rate=rate)
        for mine, other in zip((*came[0], *came[1]), (*expected[0], *expected[1]), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
