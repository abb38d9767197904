"""Where sinabs 3.1 is right, spikes, potentials and gradients are the same to the last bit."""

import dataclasses
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

import picojoule.activation as ours
from picojoule.layers import (
    IAF,
    LIF,
    ExpLeak,
    ExpLeakSqueeze,
    IAFSqueeze,
    LIFSqueeze,
    StatefulLayer,
    SumPool2d,
)

pytestmark = pytest.mark.usefixtures("plain_pytorch")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sinabs = pytest.importorskip("sinabs")
    theirs = pytest.importorskip("sinabs.activation")
    their_layers = pytest.importorskip("sinabs.layers")

T = 20
SEEDS = range(3)
OUR_LAYERS = {
    layer.__name__: layer for layer in (IAF, LIF, ExpLeak, IAFSqueeze, LIFSqueeze, ExpLeakSqueeze)
}

SURROGATES = [
    ("SingleExponential", {}),
    ("SingleExponential", {"grad_width": 0.2, "grad_scale": 3.0}),
    ("PeriodicExponential", {}),
    ("PeriodicExponential", {"grad_width": 0.3, "grad_scale": 2.0}),
    ("Heaviside", {}),
    ("Heaviside", {"window": 0.3}),
    ("Gaussian", {}),
    ("Gaussian", {"mu": 0.2, "sigma": 0.3, "grad_scale": 2.0}),
    ("MultiGaussian", {}),
    ("MultiGaussian", {"sigma": 0.4, "h": 0.3, "s": 4.0, "grad_scale": 2.0}),
]
SPIKES = ["SingleSpike", "MultiSpike", "MaxSpike"]
RESETS = [
    ("MembraneSubtract", {}),
    ("MembraneSubtract", {"subtract_value": 0.5}),
    ("MembraneReset", {}),
]
NEURONS: list[tuple[str, dict[str, Any]]] = [
    ("IAF", {}),
    ("IAF", {"tau_syn": 7.0}),
    ("LIF", {"tau_mem": 12.0}),
    ("LIF", {"tau_mem": 12.0, "norm_input": False}),
    ("LIF", {"tau_mem": 12.0, "tau_syn": 7.0}),
    ("LIF", {"tau_mem": 12.0, "tau_syn": 7.0, "norm_input": False}),
    ("LIF", {"tau_mem": 12.0, "train_alphas": True}),
    ("ExpLeak", {"tau_mem": 12.0}),
    ("ExpLeak", {"tau_mem": 12.0, "norm_input": True}),
    ("IAFSqueeze", {"batch_size": 4}),
    ("LIFSqueeze", {"batch_size": 4, "tau_mem": 12.0}),
    ("ExpLeakSqueeze", {"batch_size": 4, "tau_mem": 12.0, "train_alphas": True}),
]


def spike_fn(module: Any, name: str) -> Any:
    return module.MaxSpike(2) if name == "MaxSpike" else getattr(module, name)


def both(name: str, arguments: dict[str, Any], **choices: Any) -> tuple[StatefulLayer, Any]:
    """The same layer of either library. Arguments are copied: sinabs shares the tensors it is given."""
    thresholds = {"spike_threshold": 0.8} if not name.startswith("ExpLeak") else {}
    pair = []
    for module, layers in ((ours, OUR_LAYERS), (theirs, vars(their_layers))):
        picked = {key: choose(module) for key, choose in choices.items()}
        owned = {key: torch.tensor(value) for key, value in thresholds.items()}
        pair.append(layers[name](**arguments, **picked, **owned))
    return pair[0], pair[1]


def data(name: str, seed: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(4, T, 3, 5, generator=generator)
    return x.flatten(0, 1) if "Squeeze" in name else x


def assert_same_slope(surrogate: str, got: Tensor, want: Tensor) -> None:
    """To the last bit, but for the normal densities, whose terms are ordered differently here."""
    close = {"rtol": 1e-5, "atol": 1e-6} if "Gaussian" in surrogate else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(got, want, **close)
    assert bool(want.any())


def assert_equal_to_the_bit(our: StatefulLayer, their: Any, x: Tensor) -> None:
    runs = []
    for layer in (our, their):
        own = x.clone().requires_grad_()
        output = layer(own)
        weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(9))
        (output * weights).sum().backward()
        runs.append((output, layer.v_mem, own.grad))
    for got, want in zip(*runs, strict=True):
        assert torch.equal(got, want)
    assert bool(runs[0][0].any())
    assert bool(runs[0][2].any())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "arguments"), NEURONS)
def test_every_neuron(name: str, arguments: dict[str, Any], seed: int) -> None:
    # normalised input is scaled by 1 - alpha, about 1 / tau
    scale = 10.0 if name.startswith("LIF") and arguments.get("norm_input", True) else 1.0
    our, their = both(name, arguments)
    assert_equal_to_the_bit(our, their, data(name, seed, scale))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("reset", "reset_arguments"), RESETS)
@pytest.mark.parametrize("spike", SPIKES)
@pytest.mark.parametrize(
    ("name", "arguments"), [("IAF", {}), ("LIF", {"tau_mem": 12.0, "norm_input": False})]
)
def test_every_spike_function_and_reset(
    name: str,
    arguments: dict[str, Any],
    spike: str,
    reset: str,
    reset_arguments: dict[str, Any],
    seed: int,
) -> None:
    our, their = both(
        name,
        arguments,
        spike_fn=lambda module: spike_fn(module, spike),
        reset_fn=lambda module: getattr(module, reset)(**reset_arguments),
    )
    assert_equal_to_the_bit(our, their, data(name, seed))


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("surrogate", "arguments"), SURROGATES)
def test_every_surrogate(surrogate: str, arguments: dict[str, Any], threshold: float) -> None:
    our, their = getattr(ours, surrogate)(**arguments), getattr(theirs, surrogate)(**arguments)
    assert dataclasses.asdict(our) == dataclasses.asdict(their)
    v = torch.linspace(-3.0, 7.0, 1001)
    got, want = our(v, torch.tensor(threshold)), their(v, torch.tensor(threshold))
    assert_same_slope(surrogate, got, want)


@pytest.mark.parametrize(("surrogate", "arguments"), SURROGATES)
def test_every_surrogate_in_a_layer(surrogate: str, arguments: dict[str, Any]) -> None:
    our, their = both(
        "IAF", {}, surrogate_grad_fn=lambda module: getattr(module, surrogate)(**arguments)
    )
    gradients = []
    for layer in (our, their):
        x = data("IAF", 0).requires_grad_()
        layer(x)[:, :4].sum().backward()
        gradients.append(x.grad)
    assert_same_slope(surrogate, *gradients)


def test_a_lower_bound_where_sinabs_does_not_round_it() -> None:
    x = (data("IAF", 0) * 64).round() / 64
    arguments = {"min_v_mem": torch.tensor(-0.5), "spike_threshold": torch.tensor(1.0)}
    copies = [{k: v.clone() for k, v in arguments.items()} for _ in range(2)]
    assert_equal_to_the_bit(IAF(**copies[0]), their_layers.IAF(**copies[1]), x)


@pytest.mark.parametrize("seed", SEEDS)
def test_sum_pooling_with_its_gradient(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-1, 3, (20, 3, 8, 6), generator=generator).float()
    x += torch.rand(x.shape, generator=generator) * (x != 0)
    x[:10] = x[:10].round()  # windows whose values cancel
    weights = torch.randn(20, 3, 4, 3, generator=generator)
    runs = []
    for pool in (SumPool2d(2), their_layers.SumPool2d(2)):
        own = x.clone().requires_grad_()
        output = pool(own)
        (output * weights).sum().backward()
        runs.append((output, own.grad))
    (got, got_grad), (want, want_grad) = runs
    assert torch.equal(got, want)
    assert torch.equal(got_grad, want_grad)
    assert bool((want == 0).any())
