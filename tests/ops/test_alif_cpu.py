"""The adaptive neuron in fused kernels against its reference; what it shares with LIF is tested there."""

from typing import Any

import pytest
import torch

from picojoule import layers
from picojoule.ops import alif
from tests.ops.fused import (
    ADAPTS,
    ALIF,
    EVERY_ALIF,
    FEW_ALIF,
    SHAPES,
    arguments,
    check_equal,
    others_slow,
    sequence,
)


@pytest.mark.parametrize("configuration", others_slow(FEW_ALIF, 8), ids=str)
def test_the_reference_is_equalled(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), {**arguments(configuration), **ADAPTS})


@pytest.mark.slow
@pytest.mark.parametrize("configuration", EVERY_ALIF[::9], ids=str)
def test_the_reference_is_equalled_in_many_configurations(configuration: tuple[Any, ...]) -> None:
    check_equal("cpu", sequence(3, 9, 70), {**arguments(configuration), **ADAPTS})


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_shape(shape: tuple[int, ...]) -> None:
    check_equal("cpu", sequence(*shape), ALIF)


def test_numbers_for_parameters() -> None:
    x = sequence(2, 9, 6).detach()
    expected, came = (alif(x, impl=impl, **ALIF) for impl in ("reference", "cpu"))
    assert torch.equal(came.spikes, expected.spikes)
    for have, want in zip(came.state[:3], expected.state[:3], strict=True):
        assert torch.equal(have, want)


@pytest.mark.parametrize("impl", ["auto", "cpu"])
def test_a_layer_runs_it_and_learns_the_same(impl: str) -> None:
    x, found = sequence(2, 9, 5).detach(), []
    for name in ("reference", impl):
        layer = layers.ALIF(4.0, 5.0, tau_syn=3.0, spike_threshold=0.3, train_alphas=True)
        layer.impl = name
        layer(x).square().sum().backward()
        found.append([p.grad for p in layer.parameters() if p.grad is not None])
    assert len(found[0]) == 3
    for want, have in zip(*found, strict=True):
        torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-4)
