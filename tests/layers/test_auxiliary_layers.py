"""The small layers around the neurons."""

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import picojoule.layers as ours
from picojoule.layers import (
    ChannelShift,
    Cropping2dLayer,
    Img2SpikeLayer,
    Merge,
    NeuromorphicReLU,
    QuantizeLayer,
    Sig2SpikeLayer,
)

IMAGES = torch.rand(3, 2, 6, 5, generator=torch.Generator().manual_seed(0))

SAME = [
    ("Merge", {}, (IMAGES, 2 * IMAGES)),
    ("Merge", {}, (IMAGES, IMAGES[:, :1, :, :3])),
    ("Merge", {}, (IMAGES[:, :, :2], IMAGES[:, :, :, :3])),
    ("ChannelShift", {}, (IMAGES,)),
    ("ChannelShift", {"channel_shift": 3}, (IMAGES,)),
    ("ChannelShift", {"channel_shift": 1, "channel_axis": -1}, (IMAGES,)),
    ("Cropping2dLayer", {"cropping": ((1, 2), (0, 1))}, (IMAGES,)),
    ("Cropping2dLayer", {"cropping": [[0, 0], [2, 0]]}, (IMAGES,)),
    ("QuantizeLayer", {}, (5 * IMAGES - 2,)),
    ("QuantizeLayer", {"quantize": False}, (IMAGES,)),
    ("NeuromorphicReLU", {}, (5 * IMAGES - 2,)),
    ("NeuromorphicReLU", {"fanout": 4, "quantize": False}, (5 * IMAGES - 2,)),
    ("Img2SpikeLayer", {"image_shape": (2, 6, 5), "tw": 9, "norm": 1.5}, (IMAGES[0],)),
    (
        "Img2SpikeLayer",
        {"image_shape": (1, 6, 5), "tw": 4, "norm": 1, "squeeze": True},
        (IMAGES[0, :1],),
    ),
    ("Sig2SpikeLayer", {"channels_in": 6, "tw": 3, "spk_out": False}, (IMAGES[0, 0],)),
]


@pytest.mark.parametrize(("name", "arguments", "inputs"), SAME, ids=lambda x: str(x)[:30])
def test_output_and_gradient_are_those_of_sinabs(
    name: str, arguments: dict[str, Any], inputs: tuple[Tensor, ...]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = pytest.importorskip("sinabs.layers")
    results = []
    for library in (ours, theirs):
        torch.manual_seed(0)
        data = [x.clone().requires_grad_() for x in inputs]
        out = getattr(library, name)(**arguments)(*data)
        if out.requires_grad:
            (out * torch.arange(out.numel()).reshape(out.shape)).sum().backward()
        results.append([out, *(x.grad for x in data if x.grad is not None)])
    for mine, other in zip(*results, strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize(("name", "arguments", "inputs"), SAME, ids=lambda x: str(x)[:30])
def test_each_can_be_copied_pickled_and_shown_after_a_forward(
    name: str, arguments: dict[str, Any], inputs: tuple[Tensor, ...]
) -> None:
    layer = getattr(ours, name)(**arguments)
    layer(*(x.clone().requires_grad_() for x in inputs))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer)
        assert repr(layer).startswith(name)


def test_merging_different_batches_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Merge: .*\(2, 3\) and \(4, 3\)"):
        Merge()(torch.ones(2, 3), torch.ones(4, 3))
    with pytest.raises(ValueError, match="as many axes"):
        Merge()(torch.ones(2, 3), torch.ones(2, 3, 1))


def test_a_channel_axis_from_the_front_is_the_same_axis() -> None:
    assert torch.equal(ChannelShift(2, 1)(IMAGES), ChannelShift(2, -3)(IMAGES))


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_cropping_takes_any_number_of_leading_axes(rank: int) -> None:
    image = torch.arange(30.0).reshape(*[1] * (rank - 2), 6, 5)
    left = Cropping2dLayer(((1, 2), (1, 1)))(image)
    assert left.flatten().tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18]


def test_cropping_everything_is_an_error() -> None:
    layer = Cropping2dLayer(((3, 3), (0, 0)))
    with pytest.raises(
        ValueError, match=r"nothing is left of .*\(3, 2, 6, 5\) after cropping=\(\(3, 3\)"
    ):
        layer(IMAGES)


@pytest.mark.parametrize("negative", [False, True])
def test_an_image_fires_at_its_brightness(negative: bool) -> None:
    torch.manual_seed(0)
    layer = Img2SpikeLayer((2,), tw=40_000, max_rate=500, norm=2.0, negative_spikes=negative)
    rates = layer(torch.tensor([1.0, -1.0])).mean(0)
    expected = torch.tensor([0.25, -0.25 if negative else 0.0])
    # five standard errors of 40,000 draws at 0.25 are 0.011
    assert torch.allclose(rates, expected, atol=0.011)


def test_a_signal_fires_at_its_level() -> None:
    torch.manual_seed(0)
    spikes = Sig2SpikeLayer(2, tw=20_000, norm_level=2.0)(torch.tensor([[0.5], [-0.5]]))
    assert torch.allclose(spikes.mean(0), torch.tensor([0.25, 0.0]), atol=0.016)
    assert spikes.shape == Sig2SpikeLayer(2, tw=20_000).get_output_shape((2, 1))


def test_evaluation_with_stochastic_rounding_rounds_to_the_nearest_and_has_a_gradient() -> None:
    layer = NeuromorphicReLU(stochastic_rounding=True).eval()
    x = torch.tensor([[1.7, 1.2, -0.9]], requires_grad=True)
    assert layer(x).tolist() == [[2.0, 1.0, 0.0]]
    layer.activity.backward()
    assert x.grad.tolist() == [[1.0, 1.0, 0.0]]


def test_stochastic_rounding_is_right_on_average_in_training() -> None:
    torch.manual_seed(0)
    layer = NeuromorphicReLU(stochastic_rounding=True, fanout=2)
    out = layer(torch.full((20_000,), 1.25))
    assert out.unique().tolist() == [1.0, 2.0]
    # five standard errors of 20,000 draws at 0.25 are 0.015
    assert abs(out.mean().item() - 1.25) < 0.016
    assert layer.activity.item() == pytest.approx(2 * out.mean().item())


def test_empty_batches_pass() -> None:
    none = torch.zeros(0, 2, 6, 5)
    relu = NeuromorphicReLU()
    model = nn.Sequential(ChannelShift(1), Cropping2dLayer(((1, 0), (0, 0))), QuantizeLayer(), relu)
    assert model(none).shape == (0, 3, 5, 5)
    assert relu.activity.item() == 0.0


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ChannelShift(-1), "channel_shift is -1"),
        (lambda: Cropping2dLayer(((-1, 0), (0, 0))), "expected numbers >= 0"),
        (lambda: Img2SpikeLayer((1,), tw=0), "tw is 0"),
        (lambda: Sig2SpikeLayer(1, norm_level=0.0), r"norm_level 0\.0"),
        (lambda: Sig2SpikeLayer(3)(torch.ones(2, 5)), r"shape \(2, 5\).* with 3 channels"),
    ],
)
def test_what_makes_no_sense_is_named(build: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        build()
