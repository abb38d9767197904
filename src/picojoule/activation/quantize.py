"""Rounding with an identity gradient (straight-through)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.activation.transforms import suited


class Quantize:
    """Round down; the gradient passes unchanged.

        y = floor(x),   dy/dx := 1

    Example:
        >>> Quantize.apply(torch.tensor([0.2, 1.9, -0.1]))
        tensor([ 0.,  1., -1.])

    Source: the straight-through estimator, Bengio et al. 2013, arXiv 1308.3432.
    """

    @staticmethod
    def apply(x: Tensor) -> Tensor:
        return suited(_Floor, _TransformedFloor).apply(x)  # type: ignore[no-any-return, no-untyped-call]


class StochasticRounding:
    """Round down or up at random, right on average; the gradient passes unchanged.

        y = floor(x) + Bernoulli(x - floor(x)),   E[y] = x,   dy/dx := 1

    Draws from torch's global generator.

    Example:
        >>> y = StochasticRounding.apply(torch.full((10_000,), 0.25))
        >>> bool((y.mean() - 0.25).abs() < 0.05)
        True

    Source: Gupta et al. 2015, arXiv 1502.02551.
    """

    @staticmethod
    def apply(x: Tensor) -> Tensor:
        return suited(_AtRandom, _TransformedAtRandom).apply(x)  # type: ignore[no-any-return, no-untyped-call]


class _StraightThrough(torch.autograd.Function):
    """A rounding, whose gradients and tangents pass unchanged."""

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        return grad_output


class _TransformedStraightThrough(_StraightThrough):
    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """Nothing is kept."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.clone()


class _Floor(_StraightThrough):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.floor()


class _TransformedFloor(_TransformedStraightThrough):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.floor()


class _AtRandom(_StraightThrough):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _rounded_at_random(x)


class _TransformedAtRandom(_TransformedStraightThrough):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _rounded_at_random(x)


def _rounded_at_random(x: Tensor) -> Tensor:
    lower = x.floor()
    return lower + (torch.rand_like(x) < x - lower)
