"""Normalisation makes activations about 1 and leaves the function's shape alone."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.convert import normalize_weights
from picojoule.layers import IAF, NeuromorphicReLU


def cnn(bias: bool = True) -> nn.Sequential:
    features = nn.Sequential()
    features.add_module("conv", nn.Conv2d(1, 3, 3, bias=bias))
    features.add_module("relu", nn.ReLU())
    features.add_module("pool", nn.AvgPool2d(2))
    transposed = nn.ConvTranspose2d(3, 4, 2, bias=bias)
    return nn.Sequential(
        features, transposed, nn.ReLU(), nn.Flatten(), nn.Linear(64, 5, bias=bias), nn.ReLU()
    ).double()


OUTPUTS, PARAMS = ["0.relu", "2", "5"], ["0.conv", "1", "4"]
IMAGES = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()


def activation(model: nn.Module, name: str, percentile: float) -> float:
    seen: list[Tensor] = []
    handle = model.get_submodule(name).register_forward_hook(lambda *call: seen.append(call[2]))
    model(IMAGES)
    handle.remove()
    return float(np.percentile(seen[0].detach().numpy(), percentile))


@given(
    seed=st.integers(0, 10_000),
    gain=st.floats(0.01, 100),
    percentile=st.sampled_from([90.0, 99.0, 100.0]),
    bias=st.booleans(),
)
@settings(deadline=None, max_examples=25)
def test_the_function_is_scaled_by_one_constant(
    seed: int, gain: float, percentile: float, bias: bool
) -> None:
    torch.manual_seed(seed)
    ann = cnn(bias)
    with torch.no_grad():
        for parameter in ann.parameters():
            parameter.mul_(gain)
        # the first output of every layer fires: at least a fifth of its activations
        for layer in (ann[0].conv, ann[1], ann[4]):
            (layer.weight[:, 0] if layer is ann[1] else layer.weight[0]).abs_()
            if bias:
                layer.bias.abs_()
    old = ann(IMAGES)
    factors = normalize_weights(ann, IMAGES, OUTPUTS, PARAMS, percentile)
    torch.testing.assert_close(ann(IMAGES), old * factors["4"], rtol=1e-9, atol=0)
    for name in OUTPUTS:
        assert activation(ann, name, percentile) == pytest.approx(1)


def test_biases_of_layers_that_are_not_listed_are_scaled_along() -> None:
    ann = cnn()
    old = ann(IMAGES)
    factors = normalize_weights(ann, IMAGES, ["0.relu"], ["0.conv"])
    assert list(factors) == ["0.conv"]
    torch.testing.assert_close(ann(IMAGES), old * factors["0.conv"], rtol=1e-9, atol=1e-12)


def test_an_all_positive_chain_by_hand() -> None:
    ann = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.ReLU())
    for layer, weight, bias in ((ann[0], 3.0, 1.0), (ann[2], 2.0, 8.0)):
        nn.init.constant_(layer.weight, weight)
        nn.init.constant_(layer.bias, bias)
    # activations 4 and 16: weights 3/4 and 2*4/16, biases 1/4 and 8/16
    factors = normalize_weights(ann, torch.ones(1, 1), ["1", "3"], ["0", "2"])
    assert factors == {"0": 1 / 4, "2": 1 / 16}
    assert [p.item() for p in ann.parameters()] == [0.75, 0.25, 0.5, 0.5]


def test_a_silent_layer_keeps_its_weights_and_says_so() -> None:
    ann = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.ReLU())
    nn.init.constant_(ann[2].bias, -100.0)
    weight = ann[2].weight.clone()
    nn.init.constant_(ann[0].bias, 3.0)
    old = ann[:3](torch.ones(1, 1))
    with pytest.warns(UserWarning, match="99th percentile of the output behind '2' is 0"):
        factors = normalize_weights(ann, torch.ones(1, 1), ["1", "3"], ["0", "2"])
    assert factors["2"] == factors["0"]
    assert torch.equal(ann[2].weight, weight)
    torch.testing.assert_close(ann[:3](torch.ones(1, 1)), old * factors["0"])


def test_modes_and_hooks_stay_and_dropout_is_not_drawn() -> None:
    ann = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.ReLU())
    nn.init.constant_(ann[0].bias, 5.0)
    ann[0].eval()
    calls: list[int] = []
    ann[2].register_forward_hook(lambda *_: calls.append(1))
    state = torch.get_rng_state()
    normalize_weights(ann, torch.rand(3, 4, generator=torch.Generator()), ["2"], ["0"])
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in ann.modules()] == [True, False, True, True]
    assert [len(m._forward_hooks) for m in ann.modules()] == [0, 0, 0, 1]
    assert calls
    assert all(parameter.requires_grad for parameter in ann.parameters())


def test_rounding_and_skip_connections_are_reported() -> None:
    ann = nn.Sequential(nn.Linear(4, 4), NeuromorphicReLU(), nn.Linear(4, 4))
    nn.init.constant_(ann[0].weight, 1.0)
    with pytest.warns(UserWarning, match="not the old one times a constant"):
        normalize_weights(ann, torch.tensor([[0.9] * 4, [1.9] * 4]), ["1"], ["0"])


class Outputs(nn.Module):
    """Two layers, a parameter that no factor reaches, and outputs to choose."""

    def __init__(self, shift: float, outputs: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)
        self.shift, self.outputs = nn.Parameter(torch.full((6,), shift)), outputs

    def forward(self, x: Tensor) -> Any:
        h = self.relu(self.first(x) + self.shift)
        return self.outputs(x, h, self.second(h))


@dataclass
class Named:
    """Outputs by name."""

    logits: Tensor
    hidden: Tensor


@pytest.mark.parametrize(
    "outputs",
    [
        lambda x, h, y: (y, h),
        lambda x, h, y: {"logits": y, "more": [h, x, None]},
        lambda x, h, y: Named(y, h),
        lambda x, h, y: (x, [h + 0.5]),
        lambda x, h, y: h > 1.1,
        lambda x, h, y: (F.layer_norm(y, (2,)), h),
    ],
)
def test_all_tensors_of_the_output_are_compared(outputs: Any) -> None:
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="not the old one times a constant"):
        normalize_weights(Outputs(1.0, outputs), torch.rand(16, 6), ["relu"], ["first"])


@pytest.mark.parametrize(
    "outputs", [lambda x, h, y: (y, h, x), lambda x, h, y: {"hidden": h, "class": y.argmax(1)}]
)
def test_each_output_has_the_factor_of_the_layer_in_front_of_it(outputs: Any) -> None:
    torch.manual_seed(0)
    ann, data = Outputs(0.0, outputs), torch.rand(16, 6)
    factors = normalize_weights(ann, data, ["relu", "second"], ["first", "second"])
    assert len(set(factors.values())) == 2


def test_an_output_without_tensors_cannot_be_compared() -> None:
    ann = Outputs(0.0, lambda x, h, y: y.tolist())
    with pytest.warns(UserWarning, match="gives a list without tensors, so .* not be checked"):
        normalize_weights(ann, torch.rand(4, 6), ["relu"], ["first"])


def test_an_output_of_zeros_that_becomes_something_is_reported() -> None:
    ann = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU(), nn.Linear(1, 1, bias=False))
    ann.append(NeuromorphicReLU())
    nn.init.constant_(ann[0].weight, 0.25)
    nn.init.constant_(ann[2].weight, 1.0)
    with pytest.warns(UserWarning, match="off by up to 100.0%"):
        normalize_weights(ann, torch.ones(2, 1), ["1"], ["0"])


def _shared() -> nn.Sequential:
    ann = cnn()
    ann.add_module("again", nn.Linear(64, 5).double())
    ann.again.weight = ann[4].weight
    return ann


def _with_unused() -> nn.Sequential:
    ann = cnn()
    ann[4].unused = nn.ReLU()
    return ann


class Pairs(nn.Module):
    """Gives two tensors."""

    def forward(self, x: Tensor) -> Any:
        return x, x


class FirstOfPair(nn.Module):
    """A layer, and one that gives two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.pairs = nn.Linear(2, 2), Pairs()

    def forward(self, x: Tensor) -> Any:
        return self.pairs(self.layer(x))[0]


def _weight_norm() -> nn.Sequential:
    ann = cnn()
    ann[4] = nn.utils.parametrizations.weight_norm(ann[4])
    return ann


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"output_layers": ["0.relu"]}, ValueError, "1 output layers and 3 param layers"),
        ({"percentile": 101}, ValueError, "percentile is 101, expected 0 to 100"),
        (
            {"output_layers": ["0.rellu", "2", "5"]},
            ValueError,
            "output_layers names '0.rellu', which is not there. Did you mean '0.relu'",
        ),
        ({"param_layers": ["conv", "1", "4"]}, ValueError, "Did you mean '0.conv'"),
        ({"param_layers": ["0.conv", "1", "zzz"]}, ValueError, "'zzz', which is not there. There are"),
        ({"param_layers": ["0.conv", "1", "1"]}, ValueError, "names a layer twice"),
        ({"param_layers": ["1", "0.conv", "4"]}, ValueError, "List the layers in the order they run"),
        (
            {"ann": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), "output_layers": ["0"], "param_layers": ["0"]},
            ValueError,
            "fold_batch_norm first",
        ),
        (
            {"ann": nn.Sequential(nn.LayerNorm(2), nn.ReLU()), "output_layers": ["1"], "param_layers": ["0"]},
            TypeError,
            "'0' is a LayerNorm, expected a convolution",
        ),
        (
            {"ann": nn.Sequential(nn.Linear(2, 2), IAF()), "output_layers": ["1"], "param_layers": ["0"]},
            TypeError,
            "Normalise before converting",
        ),
        ({"sample_data": IMAGES[:0]}, ValueError, r"output layer '0.relu' gave no values .* at least one sample"),
        ({"output_layers": ["0.relu", "2", "4.unused"], "ann": _with_unused()}, ValueError, "output layer '4.unused' is not called"),
        (
            {"ann": FirstOfPair(), "output_layers": ["pairs"], "param_layers": ["layer"], "sample_data": torch.ones(1, 2)},
            TypeError,
            r"output layer 'pairs' \(Pairs\) gives a tuple, expected one tensor",
        ),
        ({"ann": _shared()}, ValueError, "one and the same parameter"),
        ({"ann": _weight_norm()}, ValueError, "weight of '4' is computed from other parameters"),
    ],
)  # fmt: skip
def test_mistakes_are_named_and_nothing_is_changed(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    usual = {"ann": cnn(), "output_layers": OUTPUTS, "param_layers": PARAMS, "sample_data": IMAGES}
    call = usual | change
    before = copy.deepcopy(call["ann"].state_dict())
    with pytest.raises(error, match=message):
        normalize_weights(**call)
    assert all(torch.equal(x, before[name]) for name, x in call["ann"].state_dict().items())


def test_a_layer_called_twice_is_refused() -> None:
    layer = nn.Linear(2, 2)
    ann = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU())
    with pytest.raises(ValueError, match="'0' is called more than once"):
        normalize_weights(ann, torch.rand(1, 2), ["1"], ["0"])


def test_param_layers_without_parameters_scale_nothing() -> None:
    # sinabs' own test calls it so, with BatchNorm in the model
    ann = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    with pytest.warns(UserWarning, match=r"'2' \(ReLU\) has no parameters"):
        assert normalize_weights(ann, torch.rand(2, 1, 5, 5), ["2"], ["2"], 100) == {}
