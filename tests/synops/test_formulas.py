"""The counting formulas, case by case."""

import copy
import itertools
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
@pytest.mark.parametrize(("value", "sign"), [(0.0, 1), (2.0, 1), (-2.0, -1)])
def test_the_gradient_is_the_fan_out_also_where_nothing_fires(
    count: Any, shape: tuple[int, ...], value: float, sign: int
) -> None:
    spikes = torch.full(shape, value, requires_grad=True)
    count(spikes).backward()
    fan_out = FAN_OUT if len(shape) == 4 else torch.tensor(4.0)
    assert torch.allclose(spikes.grad, (sign * fan_out / 5).expand(shape), rtol=1e-6, atol=0)


@CASES
def test_gradients_equal_finite_differences(count: Any, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(shape, dtype=torch.float64, generator=generator) + 0.1
    signs = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    assert torch.autograd.gradcheck(count, [(values * signs).requires_grad_()])


def read_from(place: int, size: int, mode: str) -> int | None:
    """Which input a place of the padded axis holds; None where it holds a zero."""
    if 0 <= place < size:
        return place
    mirrored = -place if place < 0 else 2 * (size - 1) - place
    return {
        "zeros": None,
        "circular": place % size,
        "reflect": mirrored,
        "replicate": min(max(place, 0), size - 1),
    }[mode]


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize(
    ("bias", "stride", "dilation", "groups"),
    [(False, 1, 1, 1), (True, 1, 1, 1), (True, 1, 2, 2), (True, 2, 1, 2)],
)
def test_cancellation_is_magnitudes_added_one_by_one_less_the_magnitude_of_the_sum(
    mode: str, bias: bool, stride: int, dilation: int, groups: int
) -> None:
    layer = nn.Conv1d(
        2, 4, 3, stride, padding=2, dilation=dilation, groups=groups, bias=bias, padding_mode=mode
    )
    x = torch.rand(2, 7)
    output = layer(x)
    expected = torch.zeros(output.shape)
    for channel, place in itertools.product(range(4), range(output.shape[1])):
        addends = []
        for tap, heard in itertools.product(range(3), range(2 // groups)):
            source = read_from(place * stride + tap * dilation - 2, 7, mode)
            in_channel = heard if groups == 1 else channel // 2
            if source is not None:
                addends.append((layer.weight[channel, heard, tap] * x[in_channel, source]).item())
        expected[channel, place] = sum(map(abs, addends)) - abs(sum(addends))
    assert expected.max() > 0.1
    assert torch.allclose(input_cancellation(layer, x, output), expected, atol=1e-6)
    batched = input_cancellation(layer, x[None], layer(x[None]))
    assert torch.allclose(batched, expected[None], atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 3, 3, padding="same"), (4, 2, 6, 6)),
        (nn.Conv3d(2, 3, 2), (4, 2, 3, 3, 3)),
        (nn.Linear(6, 3), (4, 6)),
        (nn.Linear(6, 3), (4, 5, 6)),
    ],
)
def test_of_a_positive_input_twice_the_smaller_side_is_cancelled(
    layer: Any, shape: tuple[int, ...]
) -> None:
    x = torch.rand(shape)
    sides = []
    for sign in (1, -1):
        one_side = copy.deepcopy(layer)
        one_side.weight.data = (sign * layer.weight.data).clamp(min=0)
        one_side.bias = None
        sides.append(one_side(x))
    difference = input_cancellation(layer, x, layer(x))
    assert torch.allclose(difference, 2 * torch.minimum(*sides), atol=1e-5)


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


def test_a_rate_keeps_the_shape_of_the_neurons_and_passes_gradients_to_every_spike() -> None:
    spikes = torch.zeros(2, 5, 3, 4, requires_grad=True)
    rates = firing_rate_per_neuron(spikes)
    assert rates.shape == (3, 4)
    rates.sum().backward()
    assert torch.equal(spikes.grad, torch.full((2, 5, 3, 4), 1 / 10))


def test_silent_is_exactly_zero_and_nothing_else() -> None:
    assert silent_share(torch.tensor([[0.0, 1e-9], [0.0, 2.0]])) == 0.5
    assert silent_share(torch.zeros(3)) == 1.0
    assert silent_share(torch.ones(3)) == 0.0
