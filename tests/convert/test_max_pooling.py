"""Max pooling is refused, or becomes the maximum of what has fired most, wherever it stands."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.convert import from_model
from picojoule.layers import (
    IAF,
    IAFSqueeze,
    Repeat,
    SpikingMaxPooling2dLayer,
    SpikingMaxPooling2dLayerSqueeze,
)

STEPS = 400
Forward = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """Convolutions, poolings and a forward pass to be given."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3, padding=1)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.written = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def off_by(model: nn.Module, max_pooling: str = "spiking") -> float:
    """Largest difference between the rates of the SNN and the ANN, as a share of the largest activation."""
    model.eval().requires_grad_(False)
    x = torch.rand(2, 1, 10, 10)
    snn = from_model(model, num_timesteps=STEPS, min_v_mem=None, max_pooling=max_pooling)
    rates = snn(x.repeat_interleave(STEPS, 0)).unflatten(0, (2, STEPS)).mean(1)
    expected = model(x)
    return float((rates - expected).abs().max() / expected.abs().max())


LAYERS = {
    "behind the ReLU": lambda net, x: net.pool(net.relu(net.first(x))),
    "before the ReLU": lambda net, x: net.relu(net.pool(net.first(x))),
    "of currents": lambda net, x: F.relu(
        net.second(F.max_pool2d(net.first(F.relu(x)), 2, 2, 1) - 0.1)
    ),
    "twice": lambda net, x: net.pool(net.relu(net.second(net.pool(net.relu(net.first(x)))))),
    "of a pool": lambda net, x: F.max_pool2d(net.pool(F.relu(net.first(x))), 2),
    "of a sum": lambda net, x: net.pool(F.relu(net.first(x)) + F.relu(net.first(x) - 0.1)),
    "of the input": lambda net, x: F.relu(net.second(F.relu(net.first(net.pool(x))))),
    "function behind": lambda net, x: F.max_pool2d(F.relu(net.first(x)), 2),
    "function before": lambda net, x: F.relu(F.max_pool2d(net.first(x), kernel_size=2)),
    "function in place": lambda net, x: F.max_pool2d(net.first(x), 2).relu_(),
    "by keyword": lambda net, x: F.relu(input=F.max_pool2d(input=net.first(x), kernel_size=2)),
    "overlapping": lambda net, x: torch.max_pool2d(F.relu(net.first(x)), (3, 2), (2, 1), (1, 0)),
}


@pytest.mark.parametrize("place", LAYERS)
def test_the_rate_of_the_maximum_is_the_maximum_of_the_rates(place: str) -> None:
    assert off_by(Net(LAYERS[place])) < 0.05


def test_the_maximum_of_each_step_is_more_than_that() -> None:
    assert off_by(Net(LAYERS["twice"]), "each_step") > 0.1


def test_layers_keep_their_places_names_and_settings() -> None:
    pool = nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)).eval()
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), pool)
    spiking = from_model(model, num_timesteps=5, max_pooling="spiking").spiking_model
    assert type(spiking) is nn.Sequential
    made = spiking[2]
    assert type(made) is SpikingMaxPooling2dLayerSqueeze
    assert made.exact
    assert (made.pool_size, made.strides, made.padding) == ((3, 2), (2, 1), (0, 0, 1, 1))
    assert made.num_timesteps == 5
    assert not made.training
    assert type(model[2]) is nn.MaxPool2d


def test_layers_over_time_get_the_maximum_over_time() -> None:
    model = nn.Sequential(Repeat(nn.Conv2d(1, 2, 3)), nn.ReLU(), nn.MaxPool2d(2))
    spiking = from_model(model, spike_layer_class=IAF, max_pooling="spiking").spiking_model
    assert type(spiking[2]) is SpikingMaxPooling2dLayer
    assert spiking(torch.rand(2, 7, 1, 6, 6)).shape == (2, 7, 2, 2, 2)


def test_each_step_leaves_the_layer() -> None:
    model = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    spiking = from_model(model, batch_size=1, max_pooling="each_step").spiking_model
    assert [type(layer) for layer in spiking] == [IAFSqueeze, nn.MaxPool2d]


@pytest.mark.parametrize(
    "pool",
    [
        *(nn.MaxPool1d(2), nn.MaxPool3d(2), nn.AdaptiveMaxPool2d(2)),
        *(nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, dilation=2)),
        nn.MaxPool2d(2, return_indices=True),
    ],
    ids=str,
)
def test_what_the_spiking_maximum_cannot_do_is_refused_by_name(pool: nn.Module) -> None:
    with pytest.raises(NotImplementedError, match=rf"layer '1' \({type(pool).__name__}\)"):
        from_model(nn.Sequential(nn.ReLU(), pool), batch_size=1, max_pooling="spiking")


@pytest.mark.parametrize(
    ("forward", "name"),
    [
        (lambda net, x: F.max_pool2d(net.relu(x), 2, dilation=2), "max_pool2d"),
        (lambda net, x: F.adaptive_max_pool2d(net.relu(x), 2), "adaptive_max_pool2d"),
        (lambda net, x: net.relu(x).amax(1), "amax"),
    ],
)
def test_other_maxima_are_refused_by_name(forward: Forward, name: str) -> None:
    with pytest.raises(NotImplementedError, match=name):
        from_model(Net(forward), batch_size=1, max_pooling="spiking")


def test_the_refusal_shows_the_call() -> None:
    with pytest.raises(
        NotImplementedError, match=r"from_model\(model, ..., max_pooling='spiking'\)"
    ):
        from_model(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), batch_size=1)
    with pytest.raises(ValueError, match="max_pooling is 'max'"):
        from_model(nn.Sequential(nn.ReLU()), batch_size=1, max_pooling="max")  # type: ignore[arg-type]
