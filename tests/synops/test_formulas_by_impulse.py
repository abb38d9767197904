"""Layers of every shape: the formulas' counts equal brute-force counts by unit impulses."""

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.synops.brute_force import formula_count, impulse_count

CONVOLUTIONS = [
    (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
]
MANY = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def convolutions(draw: Any) -> tuple[nn.Module, tuple[int, ...]]:
    """A convolution of any kind, and the shape of an input that fits it."""
    rank = draw(st.integers(1, 3))
    transposed = draw(st.booleans())
    groups = draw(st.integers(1, 2))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    per_axis = st.integers(1, 3 if rank < 3 else 2)
    kernel = tuple(draw(per_axis) for _ in range(rank))
    stride = tuple(draw(per_axis) for _ in range(rank))
    dilation = tuple(draw(per_axis) for _ in range(rank))
    sizes = tuple(
        d * (k - 1) + 1 + draw(st.integers(0, 3)) for k, d in zip(kernel, dilation, strict=True)
    )
    arguments: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}
    padding: Any = tuple(draw(st.integers(0, min(2, size - 1))) for size in sizes)
    if transposed:
        arguments["output_padding"] = tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        )
    else:
        modes = ["zeros", "circular", "reflect", "replicate"]
        arguments["padding_mode"] = draw(st.sampled_from(modes))
        if set(stride) == {1} and draw(st.booleans()):
            padding = draw(st.sampled_from(["same", "valid"]))
            if padding == "same" and arguments["padding_mode"] != "zeros":
                sizes = tuple(size + 4 for size in sizes)
    arguments["padding"] = padding
    layer = CONVOLUTIONS[transposed][rank - 1](inputs, outputs, kernel, **arguments)
    batch = draw(st.integers(1, 3))
    return layer, (batch, inputs, *sizes)


def random_spikes(shape: tuple[int, ...], graded: bool, signed: bool) -> Tensor:
    high = 4 if graded else 2
    return torch.randint(1 - high if signed else 0, high, shape).float()


def prune(layer: nn.Module) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(torch.rand_like(parameter) < 0.5)


def legal(layer: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether PyTorch accepts the configuration at all."""
    try:
        return layer(torch.zeros(shape)).numel() > 0
    except (RuntimeError, ValueError):
        return False


@MANY
@given(convolutions(), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 10**6))
def test_convolutions(
    case: tuple[nn.Module, tuple[int, ...]], graded: bool, signed: bool, pruned: bool, seed: int
) -> None:
    layer, shape = case
    if not legal(layer, shape):
        return
    torch.manual_seed(seed)
    spikes = random_spikes(shape, graded, signed)
    if pruned:
        prune(layer)
    assert formula_count(lambda: layer(spikes), pruned) == impulse_count(layer, spikes, pruned)
    assert formula_count(lambda: layer(spikes)) == impulse_count(layer, spikes, False)


@MANY
@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_linear_layers(inputs: int, outputs: int, lead: list[int], pruned: bool, seed: int) -> None:
    torch.manual_seed(seed)
    layer = nn.Linear(inputs, outputs)
    if pruned:
        prune(layer)
    spikes = random_spikes((*lead, inputs), graded=True, signed=True)
    assert formula_count(lambda: layer(spikes), pruned) == impulse_count(layer, spikes, pruned)


@settings(MANY, max_examples=40)
@given(convolutions(), st.integers(0, 10**6))
def test_gradients_are_finite_differences(
    case: tuple[nn.Module, tuple[int, ...]], seed: int
) -> None:
    layer, shape = case
    if not legal(layer, shape):
        return
    torch.manual_seed(seed)
    layer = layer.double()
    base = torch.randn(shape, dtype=torch.float64).requires_grad_()

    def count(x: Tensor) -> Tensor:
        smooth = x.sin() + 1.5  # positive, where the count is smooth
        return formula_count(lambda: layer(smooth))

    (gradient,) = torch.autograd.grad(count(base), base)
    direction = torch.randn_like(base)
    with torch.no_grad():
        step = 1e-5
        slope = (count(base + step * direction) - count(base - step * direction)) / (2 * step)
    assert torch.allclose((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layer", [nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 3)])
def test_a_sample_without_its_batch_axis(layer: nn.Module) -> None:
    spikes = random_spikes((2, 4, 5), graded=True, signed=True)
    assert formula_count(lambda: layer(spikes)) == formula_count(lambda: layer(spikes[None]))


def test_the_gradient_at_zero_is_the_fan_out() -> None:
    x = torch.zeros(1, 1, 3, 3, requires_grad=True)
    formula_count(lambda: nn.Conv2d(1, 2, 2)(x)).backward()
    assert x.grad.squeeze().tolist() == [[2, 4, 2], [4, 8, 4], [2, 4, 2]]
