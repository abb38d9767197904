"""What holds for every surrogate gradient. A new one is its primitive and a line in SURROGATES."""

import dataclasses
import inspect
import math
import pickle

import pytest
import torch
from torch import Tensor

import picojoule.activation
from picojoule.activation import (
    Gaussian,
    Heaviside,
    MultiGaussian,
    PeriodicExponential,
    SingleExponential,
    SurrogateGradient,
)

SURROGATES = [
    SingleExponential(),
    SingleExponential(grad_width=0.2, grad_scale=3.0),
    PeriodicExponential(),
    PeriodicExponential(grad_width=0.3, grad_scale=2.0),
    Heaviside(),
    Heaviside(window=0.3),
    Gaussian(),
    Gaussian(mu=0.2, sigma=0.3, grad_scale=2.0),
    MultiGaussian(),
    MultiGaussian(mu=-0.3, sigma=0.4, h=0.3, s=4.0, grad_scale=2.0),
]
THRESHOLDS = [0.5, 1.0, 2.0]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
every_surrogate = pytest.mark.parametrize("surrogate", SURROGATES, ids=str)


def laplace_distribution(f: SingleExponential, v: Tensor, threshold: float) -> Tensor:
    x = (v - threshold) / (threshold * f.grad_width)
    return f.grad_scale * torch.where(x < 0, torch.exp(x), 2 - torch.exp(-x))


def staircase(f: PeriodicExponential, v: Tensor, threshold: float) -> Tensor:
    """An exponential up to the threshold, then one smooth stair of equal height per threshold."""
    width, x = f.grad_width, v - threshold
    stairs = torch.round(x / threshold)
    past_stair = x - stairs * threshold
    half = 0.5 * width * (1 - math.exp(-threshold / width))
    within = 0.5 * width * (1 - torch.exp(-2 * past_stair.abs() / width)) * past_stair.sign()
    above = width + 2 * half * stairs + within
    return f.grad_scale * torch.where(x < 0, width * torch.exp(x / width), above)


def ramp(f: Heaviside, v: Tensor, threshold: float) -> Tensor:
    return torch.relu(v - threshold + f.window) / threshold


def normal_distribution(f: Gaussian, v: Tensor, threshold: float) -> Tensor:
    return f.grad_scale * torch.special.ndtr((v - threshold - f.mu) / f.sigma)


def normal_distribution_with_lobes(f: MultiGaussian, v: Tensor, threshold: float) -> Tensor:
    x, wide = v - threshold - f.mu, f.s * f.sigma
    centre = torch.special.ndtr(x / f.sigma)
    lobes = torch.special.ndtr((x - f.sigma) / wide) + torch.special.ndtr((x + f.sigma) / wide)
    return f.grad_scale * ((1 + f.h) * centre - f.h * lobes)


PRIMITIVES = {
    SingleExponential: laplace_distribution,
    PeriodicExponential: staircase,
    Heaviside: ramp,
    Gaussian: normal_distribution,
    MultiGaussian: normal_distribution_with_lobes,
}


def potentials(dtype: torch.dtype = torch.float64) -> Tensor:
    """From far below to far above every threshold; no kink of a primitive is among them."""
    return (torch.linspace(-3.0, 7.0, 401, dtype=torch.float64) + math.pi / 1000).to(dtype)


def test_every_public_surrogate_is_checked() -> None:
    public = {
        member
        for member in vars(picojoule.activation).values()
        if isinstance(member, type)
        and member is not SurrogateGradient
        and list(inspect.signature(member.__call__).parameters)[1:] == ["v_mem", "spike_threshold"]
    }
    assert public == {type(surrogate) for surrogate in SURROGATES}


@every_surrogate
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_is_the_derivative_of_its_primitive(surrogate: SurrogateGradient, threshold: float) -> None:
    v, h = potentials(), 1e-6
    primitive = PRIMITIVES[type(surrogate)]
    rise = primitive(surrogate, v + h, threshold) - primitive(surrogate, v - h, threshold)
    torch.testing.assert_close(
        surrogate(v, torch.tensor(threshold, dtype=v.dtype)), rise / (2 * h), rtol=1e-6, atol=1e-7
    )


@every_surrogate
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 5)], ids=str)
def test_shape_and_dtype_are_those_of_the_potential(
    surrogate: SurrogateGradient, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    v = torch.randn(shape, dtype=dtype)
    slope = surrogate(v, torch.tensor(1.0, dtype=dtype))
    assert (slope.shape, slope.dtype) == (v.shape, v.dtype)


@every_surrogate
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_number_and_a_scalar_tensor_are_the_same_threshold(
    surrogate: SurrogateGradient, threshold: float
) -> None:
    v = potentials(torch.float32)
    torch.testing.assert_close(surrogate(v, threshold), surrogate(v, torch.tensor(threshold)))


@every_surrogate
def test_each_neuron_has_its_own_threshold(surrogate: SurrogateGradient) -> None:
    v = potentials()[:, None].expand(-1, len(THRESHOLDS))
    together = surrogate(v, torch.tensor(THRESHOLDS, dtype=v.dtype))
    alone = [surrogate(v[:, n], torch.tensor(th, dtype=v.dtype)) for n, th in enumerate(THRESHOLDS)]
    assert torch.equal(together, torch.stack(alone, dim=1))


@every_surrogate
def test_potential_and_threshold_stay_as_they_were(surrogate: SurrogateGradient) -> None:
    v, threshold = potentials(), torch.tensor(2.0, dtype=torch.float64)
    surrogate(v, threshold)
    assert torch.equal(v, potentials())
    assert threshold.item() == 2.0


@every_surrogate
def test_is_a_frozen_value(surrogate: SurrogateGradient) -> None:
    twin = dataclasses.replace(surrogate)
    assert twin == surrogate
    assert hash(twin) == hash(surrogate)
    assert len({surrogate, twin}) == 1
    name = dataclasses.fields(surrogate)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(surrogate, name, 1.0)
    assert dataclasses.replace(surrogate, **{name: 0.123}) != surrogate


@every_surrogate
def test_survives_pickling(surrogate: SurrogateGradient) -> None:
    copy = pickle.loads(pickle.dumps(surrogate))
    assert copy == surrogate
    assert torch.equal(copy(potentials(), 1.0), surrogate(potentials(), 1.0))
