"""The counting formulas, case by case."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from picojoule.synops import (
    conv_fan_out,
    conv_synops_per_timestep,
    firing_rate,
    firing_rate_per_neuron,
    input_cancellation,
    linear_synops_per_timestep,
    silent_share,
)

CONV = nn.Conv2d(1, 2, 3)
FAN_OUT = conv_fan_out(CONV, (1, 4, 4))


def conv_count(x: torch.Tensor) -> torch.Tensor:
    return conv_synops_per_timestep(x, FAN_OUT)


def linear_count(x: torch.Tensor) -> torch.Tensor:
    return linear_synops_per_timestep(x, out_features=4)


CASES = pytest.mark.parametrize(
    ("count", "shape"), [(conv_count, (5, 1, 4, 4)), (linear_count, (5, 3))]
)


def test_a_linear_layer_sends_each_spike_to_every_output() -> None:
    spikes = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]])
    assert linear_count(spikes).item() == (3 + 1) / 2 * 4


@CASES
def test_a_value_of_three_counts_as_three_spikes(count: Any, shape: tuple[int, ...]) -> None:
    spikes = torch.randint(0, 2, shape).float()
    assert count(3 * spikes).item() == pytest.approx(3 * count(spikes).item(), rel=1e-6)


@CASES
def test_negative_values_count_by_their_magnitude(count: Any, shape: tuple[int, ...]) -> None:
    signed = torch.randint(-2, 3, shape).float()
    assert torch.equal(count(signed), count(signed.abs()))


@CASES
def test_no_samples_make_no_synops(count: Any, shape: tuple[int, ...]) -> None:
    assert count(torch.zeros(0, *shape[1:])).item() == 0.0


@CASES
def test_one_step_alone_needs_no_batch_axis(count: Any, shape: tuple[int, ...]) -> None:
    step = torch.randint(0, 3, shape[1:]).float()
    assert torch.equal(count(step), count(step.unsqueeze(0)))


@CASES
def test_a_half_precision_sum_does_not_overflow(count: Any, shape: tuple[int, ...]) -> None:
    many = torch.full((4000, *shape[1:]), 60.0)
    halves = count(many.half())
    assert halves.dtype == torch.float32
    assert halves.item() == pytest.approx(count(many).item(), rel=1e-6)


@CASES
def test_double_precision_stays(count: Any, shape: tuple[int, ...]) -> None:
    assert count(torch.ones(shape, dtype=torch.float64)).dtype == torch.float64


def test_a_time_axis_of_its_own_gives_the_same_as_a_folded_one() -> None:
    spikes = torch.randint(0, 3, (5, 10, 3)).float()
    assert torch.equal(linear_count(spikes), linear_count(spikes.flatten(0, 1)))


@CASES
def test_the_gradient_is_the_fan_out_also_where_nothing_fires(
    count: Any, shape: tuple[int, ...]
) -> None:
    spikes = torch.zeros(shape, requires_grad=True)
    count(spikes).backward()
    fan_out = FAN_OUT if len(shape) == 4 else torch.tensor(4.0)
    assert torch.allclose(spikes.grad, (fan_out / 5).expand(shape))


@CASES
def test_the_gradient_pulls_negative_values_up(count: Any, shape: tuple[int, ...]) -> None:
    values = torch.full(shape, -2.0, requires_grad=True)
    count(values).backward()
    assert (values.grad < 0).all()


@CASES
def test_gradients_equal_finite_differences(count: Any, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(shape, dtype=torch.float64, generator=generator) + 0.1
    signs = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    assert torch.autograd.gradcheck(count, [(values * signs).requires_grad_()])


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, padding=1, dilation=2, bias=True),
        nn.Conv2d(2, 4, 3, groups=2, stride=2, bias=False),
        nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular"),
        nn.Conv1d(2, 3, 3),
        nn.Conv3d(2, 3, 2),
    ],
)
def test_cancellation_is_the_difference_to_positive_weights(layer: Any) -> None:
    x = torch.rand(4, 2, *[6] * (layer.weight.ndim - 2))
    expected = type(layer)(
        2, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
        layer.groups, bias=False, padding_mode=layer.padding_mode,
    )  # fmt: skip
    expected.weight.data = layer.weight.data.abs()
    unbiased = layer(x)
    if layer.bias is not None:
        unbiased = unbiased - layer.bias.reshape(-1, *[1] * (layer.weight.ndim - 2))
    difference = input_cancellation(layer, x, layer(x))
    assert torch.allclose(difference, expected(x) - unbiased.abs(), atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_weights_of_one_sign_cancel_nothing(bias: bool) -> None:
    layer = nn.Linear(5, 3, bias=bias)
    layer.weight.data.abs_()
    x = torch.rand(4, 5)
    assert torch.allclose(input_cancellation(layer, x, layer(x)), torch.zeros(4, 3), atol=1e-6)
    layer.weight.data.neg_()
    assert torch.allclose(input_cancellation(layer, x, layer(x)), torch.zeros(4, 3), atol=1e-6)


def test_weights_of_both_signs_cancel_all_of_an_even_input() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, -1.0]])
    x = torch.ones(1, 2)
    assert input_cancellation(layer, x, F.linear(x, layer.weight)).item() == 2.0


def test_rates_are_means_over_samples_and_time() -> None:
    spikes = torch.tensor([[[1.0, 0.0], [2.0, 0.0]], [[3.0, 0.0], [0.0, 4.0]]])
    assert firing_rate(spikes).item() == 10 / 8
    assert firing_rate_per_neuron(spikes).tolist() == [1.5, 1.0]
    assert firing_rate_per_neuron(spikes.flatten(0, 1), 1).tolist() == [1.5, 1.0]
    assert silent_share(torch.tensor([[0.0, 1e-9], [0.0, 2.0]])) == 0.5
