"""The fan-out map against unit impulses: one spike at a time, counted at the output."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from picojoule.synops import conv_fan_out, conv_synops_per_timestep

CLASSES = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def by_impulses(layer: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """Fan-out of each input element: what one spike there adds up to behind all-ones weights."""
    ones = type(layer)(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        bias=False,
        padding_mode=layer.padding_mode,
    )
    nn.init.ones_(ones.weight)
    size = math.prod(shape)
    impulses = torch.eye(size).reshape(size, *shape)  # one sample for each place of the one spike
    with torch.no_grad():
        return ones(impulses).flatten(1).sum(1).reshape(1, *shape)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Any, tuple[int, ...]]:
    rank = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 2))

    def one_per_axis(lowest: int, highest: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(lowest, highest)] * rank))

    padding: Any = draw(st.sampled_from(["same", "valid", "numbers", "numbers"]))
    layer = CLASSES[rank](
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 2)),
        one_per_axis(1, 3),
        stride=1 if padding == "same" else one_per_axis(1, 3),
        padding=one_per_axis(0, 2) if padding == "numbers" else padding,
        dilation=one_per_axis(1, 2),
        groups=groups,
        padding_mode=draw(st.sampled_from(["zeros", "circular", "reflect", "replicate"])),
    )
    # the widest dilated kernel spans 5; reflecting borders need an input wider than the padding
    return layer, (layer.in_channels, *one_per_axis(5, 6 if rank < 3 else 5))


# torch's own, once a process: even kernels need one side padded more
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(convolutions())
def test_it_is_what_unit_impulses_add_up_to(drawn: tuple[Any, tuple[int, ...]]) -> None:
    layer, shape = drawn
    assert torch.equal(conv_fan_out(layer, shape), by_impulses(layer, shape))


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("padding", [2, "same", (1, 2)])
def test_every_padding_mode_of_two_dimensions(mode: str, padding: Any) -> None:
    layer = nn.Conv2d(2, 3, (3, 5), padding=padding, padding_mode=mode)
    assert torch.equal(conv_fan_out(layer, (2, 6, 7)), by_impulses(layer, (2, 6, 7)))


def test_a_reflected_input_reaches_outputs_from_the_border_too() -> None:
    # padded: 1 [0 1 2 3] 2; windows of three, so that 1 and 2 are also read through their mirror
    # images: 0 is in windows 0 1, 1 in 0 1 2 and once more in 0, and the same from the other end
    layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode="reflect")
    assert conv_fan_out(layer, (1, 4)).tolist() == [[[2.0, 4.0, 4.0, 2.0]]]


def test_a_replicated_border_is_the_outermost_inputs_second_synapse() -> None:
    # padded: 0 [0 1 2 3] 3; 0 is in windows 0 1 and once more in 0
    layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode="replicate")
    assert conv_fan_out(layer, (1, 4)).tolist() == [[[3.0, 3.0, 3.0, 3.0]]]


def test_a_circular_border_loses_no_synapse() -> None:
    # every one of the 25 inputs reaches 2 channels x 3 x 3 outputs
    layer = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")
    assert conv_fan_out(layer, (1, 5, 5)).unique().tolist() == [18.0]


def test_pixels_that_a_stride_leaves_out_have_none() -> None:
    fan_out = conv_fan_out(nn.Conv1d(1, 4, 2, stride=3), (1, 6))
    assert fan_out.tolist() == [[[4.0, 4.0, 0.0, 4.0, 4.0, 0.0]]]


@pytest.mark.parametrize("rank", CLASSES)
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_it_draws_no_random_numbers_and_leaves_the_layer_alone(rank: int, mode: str) -> None:
    layer = CLASSES[rank](2, 3, 3, padding=1, padding_mode=mode)
    before, weight = torch.get_rng_state(), layer.weight.clone()
    conv_fan_out(layer, (2, *[5] * rank))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(layer.weight, weight)
    assert layer.weight.grad is None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_is_the_same_in_every_gradient_mode(mode: Any) -> None:
    layer = nn.Conv2d(2, 3, 3, padding=1)
    with mode():
        fan_out = conv_fan_out(layer, (2, 5, 5))
    assert torch.equal(fan_out, by_impulses(layer, (2, 5, 5)))
    assert not fan_out.requires_grad
    assert not fan_out.is_inference()  # a map made while evaluating serves training later


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_layers_precision_does_not_matter(dtype: torch.dtype) -> None:
    layer = nn.Conv2d(8, 300, 3)
    wide = conv_fan_out(layer.to(dtype), (8, 5, 5))
    assert wide.dtype == torch.float32
    assert wide.max() == 2700.0


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8), (1, 2, 8, 8)])
def test_a_shape_that_does_not_fit_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"an input of shape .* does not fit Conv2d.*\(2, \*, \*\)"
    ):
        conv_fan_out(nn.Conv2d(2, 3, 3), shape)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), (2, 1, 1, 1), (3, 2, 2, 1), (1, 1, 2, 2), (2, 2, 1, 2)],
)
def test_synops_are_spikes_times_existing_synapses(
    stride: int, padding: int, dilation: int, groups: int
) -> None:
    layer = nn.Conv2d(
        2, 4, 3, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    spikes = torch.randint(0, 4, (5, 2, 6, 7)).float()
    height, width = layer(spikes).shape[2:]
    arriving = 0.0
    taps = itertools.product(range(4), range(height), range(width), range(3), range(3))
    for out_channel, out_y, out_x, tap_y, tap_x in taps:
        y = out_y * stride + tap_y * dilation - padding
        x = out_x * stride + tap_x * dilation - padding
        if 0 <= y < 6 and 0 <= x < 7:
            # in two groups, outputs 0 and 1 listen to input 0 and outputs 2 and 3 to input 1
            heard = range(2) if groups == 1 else [out_channel // 2]
            arriving += sum(spikes[:, channel, y, x].sum().item() for channel in heard)
    count = conv_synops_per_timestep(spikes, conv_fan_out(layer, (2, 6, 7)))
    assert count.item() == pytest.approx(arriving / 5, rel=1e-6)
