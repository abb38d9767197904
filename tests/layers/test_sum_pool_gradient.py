"""The gradient of SumPool2d against its definition, and what the layer does without one."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from picojoule.layers import SumPool2d


def sums_times_mask(x: Tensor) -> Tensor:
    sums = F.avg_pool2d(x, 2, 2, divisor_override=1)
    return sums * (sums.detach() != 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("channels_last", [False, True])
def test_values_and_gradients_are_those_of_sums_times_a_mask(
    dtype: torch.dtype, channels_last: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-1, 2, (3, 4, 7, 6), generator=generator).to(dtype)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    results = []
    for pool in (SumPool2d(2), sums_times_mask):
        leaf = x.clone().requires_grad_()
        y = pool(leaf)
        (y.square() + y).sum().backward()
        results.append((y.detach(), leaf.grad))
    (y, grad), (want_y, want_grad) = results
    assert bool((y == 0).any())
    assert torch.equal(y, want_y)
    assert torch.equal(grad, want_grad)


def test_a_second_derivative_exists() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], requires_grad=True)
    (first,) = torch.autograd.grad(SumPool2d(2)(x).pow(3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.flatten().tolist() == [4 * 6 * 10.0] * 4  # d/dx of 4 * 3 * (sum x) ** 2


@pytest.mark.parametrize("no_gradient", [torch.no_grad, torch.inference_mode])
def test_without_gradients_there_is_no_graph(no_gradient: type) -> None:
    with no_gradient():
        y = SumPool2d(2)(torch.ones(1, 1, 2, 2, requires_grad=True))
    assert y.grad_fn is None
    assert y.item() == 4.0


@pytest.mark.parametrize("size", [1, 2, 3, (1, 2), (3, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("stride", [None, 1, (2, 3)], ids=str)
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("silent_gradient", [False, True])
def test_any_window_equals_pytorchs_pooling(
    size: int, stride: int | None, ceil_mode: bool, silent_gradient: bool
) -> None:
    x = torch.randn(2, 3, 7, 8, generator=torch.Generator().manual_seed(0))
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y = SumPool2d(size, stride, ceil_mode, silent_gradient=silent_gradient)(mine)
    want = F.avg_pool2d(theirs, size, stride, ceil_mode=ceil_mode, divisor_override=1)
    assert torch.equal(y, want)
    y.pow(2).sum().backward()
    want.pow(2).sum().backward()
    assert torch.equal(mine.grad, theirs.grad)  # no sum is 0


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 1, 4), (2, 2, 2, 4, 4)], ids=str)
def test_what_pytorch_does_not_pool_is_an_error_here_too(shape: tuple[int, ...]) -> None:
    with pytest.raises((RuntimeError, IndexError)):
        SumPool2d(2)(torch.ones(shape))


def test_the_input_is_not_kept() -> None:
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.append(x.numel()) or x, lambda x: x
    ):
        SumPool2d(2)(torch.ones(1, 2, 8, 8, requires_grad=True))
    assert kept == [2 * 4 * 4]
