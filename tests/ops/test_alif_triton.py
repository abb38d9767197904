"""The adaptive neuron in Triton kernels against its reference, as test_lif_triton.py does."""

import copy
from typing import Any

import pytest
import torch

from picojoule import layers
from picojoule.ops import alif
from tests.ops.fused import ADAPTS, ALIF, EVERY_ALIF, FEW_ALIF, arguments, check_equal, sequence
from tests.ops.test_lif_triton import DEVICE, _fresh_memory_is_nan, pytestmark

__all__ = ["_fresh_memory_is_nan", "pytestmark"]


@pytest.mark.parametrize("configuration", FEW_ALIF, ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    check_equal("triton", sequence(2, 9, 70), {**arguments(configuration), **ADAPTS}, DEVICE)


@pytest.mark.slow
@pytest.mark.parametrize("configuration", EVERY_ALIF, ids=str)
def test_the_reference_is_equalled_in_every_configuration(configuration: tuple[Any, ...]) -> None:
    check_equal("triton", sequence(2, 9, 19), {**arguments(configuration), **ADAPTS}, DEVICE)


@pytest.mark.parametrize("shape", [(3, 4), (0, 5, 3), (2, 0, 3), (2, 5, 0), (1, 17, 130)], ids=str)
def test_any_shape(shape: tuple[int, ...]) -> None:
    check_equal("triton", sequence(*shape), ALIF, DEVICE)


def test_half_precision_is_computed_in_float32() -> None:
    x = sequence(2, 10, 6).detach().bfloat16().requires_grad_()
    check_equal("triton", x, ALIF, DEVICE)


def test_numbers_for_parameters() -> None:
    x = sequence(2, 9, 6).detach()
    expected = alif(x, impl="reference", **ALIF)
    came = alif(x.to(DEVICE), impl="triton", **ALIF)
    assert torch.equal(came.spikes.cpu(), expected.spikes)
    for have, want in zip(came.state[:3], expected.state[:3], strict=True):
        assert torch.equal(have.cpu(), want)


def gradients(layer: layers.StatefulLayer, impl: str, x: torch.Tensor) -> list[torch.Tensor]:
    """Of a layer's parameters, numbers as tensors."""
    layer.impl = impl
    parameters = [each for each in layer.parameters() if each.requires_grad]
    found = torch.autograd.grad(layer(x).square().sum(), parameters, allow_unused=True)
    return [torch.zeros(()) if grad is None else grad.cpu() for grad in found]


@pytest.mark.parametrize(
    "layer",
    [
        layers.LIF(4.0, tau_syn=3.0, spike_threshold=0.3, min_v_mem=-0.1),
        layers.ALIF(4.0, 5.0, tau_syn=3.0, spike_threshold=0.3, train_alphas=True),
        layers.ExpLeak(4.0, norm_input=True),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_may_name_it_and_learns_the_same(layer: layers.StatefulLayer) -> None:
    x = sequence(2, 9, 5, 3).detach()
    expected = gradients(copy.deepcopy(layer), "reference", x)
    came = gradients(copy.deepcopy(layer).to(DEVICE), "triton", x.to(DEVICE))
    assert any(grad.abs().max() > 0 for grad in expected)
    for have, want in zip(came, expected, strict=True):
        torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-5)
