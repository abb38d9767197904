"""Masks and codes that are computed of trained parameters are what their values are, with a gradient and without."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.synops.passes import each_pass

SAMPLES, STEPS, N, OUT = 3, 5, 6, 4
X = (torch.rand(SAMPLES, STEPS, N, generator=torch.Generator().manual_seed(5)) < 0.4).float()
KEPT = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
SCORES = KEPT - 0.4


class Hard(torch.autograd.Function):
    """A step whose gradient goes straight through."""

    @staticmethod
    def forward(ctx: object, scores: Tensor) -> Tensor:
        return (scores > 0).float()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


class Learned(nn.Module):
    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], scores: Tensor) -> None:
        super().__init__()
        self.scores, self.synapses = nn.Parameter(scores.clone()), nn.Linear(N, OUT)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.synapses(self.function(x, self.scores))


def soft(p: Tensor) -> Tensor:
    return torch.sigmoid(p)


MASKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "compared": lambda x, p: x * (p > 0).float(),
    "rounded": lambda x, p: x * soft(p).round(),
    "by a function": lambda x, p: x * Hard.apply(p),
    "straight through": lambda x, p: x * ((p > 0).float() + soft(p) - soft(p).detach()),
}


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("mask", MASKS)
def test_what_a_learned_mask_lets_through_is_spikes(mask: str, grad: bool) -> None:
    with torch.set_grad_enabled(grad):
        found = each_pass(Learned(MASKS[mask], SCORES), X, X, X)
    gated = X.sum().item()  # the one-to-one weights that a mask of parameters is
    expected = gated + (X * KEPT).sum().item() * OUT
    assert found == [(pytest.approx(expected), 0)] * 3


@pytest.mark.parametrize("grad", [True, False])
def test_spikes_that_are_learned_are_spikes(grad: bool) -> None:
    with torch.set_grad_enabled(grad):
        found = each_pass(Learned(lambda x, p: x + Hard.apply(p), SCORES), X, X)
    assert found == [(pytest.approx((X + KEPT).sum().item() * OUT), 0)] * 2


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("at", [0.0, 0.3])
def test_an_offset_that_is_computed_is_dense_once_it_is_no_longer_zero(
    at: float, grad: bool
) -> None:
    model = Learned(lambda x, p: x + 2 * p, torch.full((N,), at))
    with torch.set_grad_enabled(grad):
        found = each_pass(model, X, X)
    expected = (0, X.numel() * OUT) if at else (pytest.approx(X.sum().item() * OUT), 0)
    assert found == [expected] * 2


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("part", [lambda p: p, lambda p: p[None], lambda p: p.expand(STEPS, N)])
def test_an_offset_that_is_a_parameter_is_dense_from_the_first(
    part: Callable[[Tensor], Tensor], grad: bool
) -> None:
    model = Learned(lambda x, p: x + part(p), torch.zeros(N))
    with torch.set_grad_enabled(grad):
        found = each_pass(model, X, X)
    assert found == [(0, X.numel() * OUT)] * 2
