"""sinabs as a witness for ALIF, where it is right: without a synaptic current."""

import warnings
from typing import Any

import pytest
import torch

from picojoule.activation import MultiSpike
from picojoule.layers import ALIF

pytestmark = pytest.mark.usefixtures("plain_pytorch")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("sinabs")
    theirs = pytest.importorskip("sinabs.layers")
    their_activation = pytest.importorskip("sinabs.activation")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("norm_input", [False, True])
@pytest.mark.parametrize("min_v_mem", [None, -0.5])
@pytest.mark.parametrize("multi", [False, True])
def test_spikes_states_and_gradients_are_the_same(
    seed: int, norm_input: bool, min_v_mem: float | None, multi: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(3, 20, 5, generator=generator) + 1
    results = []
    for layer_class, multi_spike in (
        (ALIF, MultiSpike),
        (theirs.ALIF, their_activation.MultiSpike),
    ):
        arguments: dict[str, Any] = {"spike_fn": multi_spike} if multi else {}
        layer = layer_class(
            tau_mem=6.0, tau_adapt=4.0, norm_input=norm_input,
            min_v_mem=None if min_v_mem is None else torch.tensor(min_v_mem), **arguments,
        )  # fmt: skip
        data = x.clone().requires_grad_()
        out = layer(data)
        (out * torch.arange(20)[:, None]).sum().backward()
        results.append((out, layer.v_mem, layer.b, layer.spike_threshold, data.grad))
        results[-1] += (layer.tau_mem.grad, layer.tau_adapt.grad)
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][0].sum() > 0
