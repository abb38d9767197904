"""Surrogate gradients: what stands for the slope of a spike function in the backward pass.

A surrogate is a frozen dataclass called as ``surrogate(v_mem, spike_threshold)`` that returns the
slope at ``v_mem``, of the shape of ``v_mem``. Any callable of that form may be used in its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class SurrogateGradient(Protocol):
    """``(v_mem, spike_threshold) -> d spikes / d v_mem``, elementwise."""

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor: ...


@dataclass(frozen=True)
class SingleExponential:
    """A two-sided exponential around the threshold.

        slope = grad_scale / (th * grad_width) * exp(-|v - th| / (th * grad_width))

    Example:
        >>> SingleExponential()(torch.tensor([0.5, 1.0, 1.5]), 1.0)
        tensor([0.7358, 2.0000, 0.7358])

    Source: Shrestha and Orchard 2018 (SLAYER), arXiv 1810.08646.
    """

    grad_width: float = 0.5
    grad_scale: float = 1.0

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        width = spike_threshold * self.grad_width
        distance = (v_mem - spike_threshold).abs()
        return self.grad_scale / width * torch.exp(-distance / width)


@dataclass(frozen=True)
class PeriodicExponential:
    """An exponential around every multiple of the threshold, for neurons that fire more than once a step.

        slope = grad_scale * exp(-d / grad_width)
        d = th - v below the threshold, the distance to the nearest multiple of th (times 2) above it

    Each peak is ``grad_scale`` high.

    Example:
        >>> PeriodicExponential()(torch.tensor([0.5, 1.0, 1.5, 2.0]), 1.0)
        tensor([0.3679, 1.0000, 0.1353, 1.0000])

    Source: Weidel and Sheik 2021 (WaveSense), arXiv 2111.01456.
    """

    grad_width: float = 0.5
    grad_scale: float = 1.0

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        phase = v_mem / spike_threshold - 0.5
        to_multiple = (spike_threshold * (2 * (phase - phase.floor()) - 1)).abs()
        to_threshold = (v_mem - spike_threshold).abs()
        distance = torch.where(v_mem < spike_threshold, to_threshold, to_multiple)
        return self.grad_scale * torch.exp(-distance / self.grad_width)


@dataclass(frozen=True)
class Heaviside:
    """Constant from ``window`` below the threshold upwards, zero below that.

        slope = 1 / th   where v >= th - window,   else 0

    Example:
        >>> Heaviside(window=0.5)(torch.tensor([0.4, 0.5, 3.0]), 2.0)
        tensor([0.0000, 0.0000, 0.5000])
    """

    window: float = 1.0

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        return (v_mem >= spike_threshold - self.window) / spike_threshold


def _normal_density(x: Tensor, mean: float, deviation: float) -> Tensor:
    return torch.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class Gaussian:
    """A normal density around the threshold, N(x; m, s) below.

        slope = grad_scale * N(v - th; mu, sigma)

    Example:
        >>> Gaussian()(torch.tensor([1.0]), 1.0)
        tensor([0.7979])

    Source: Yin et al. 2021, Nat. Mach. Intell. 3, 905, doi 10.1038/s42256-021-00397-w.
    """

    mu: float = 0.0
    sigma: float = 0.5
    grad_scale: float = 1.0

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        return self.grad_scale * _normal_density(v_mem - spike_threshold, self.mu, self.sigma)


@dataclass(frozen=True)
class MultiGaussian:
    """A normal density with a negative side lobe on either side.

        x = v - th
        slope = grad_scale * ((1 + h) N(x; mu, sigma) - h N(x; mu + sigma, s sigma) - h N(x; mu - sigma, s sigma))

    sinabs keeps the side lobes at +-sigma when ``mu`` is not 0; here the whole shape moves.

    Example:
        >>> MultiGaussian()(torch.tensor([1.0]), 1.0)
        tensor([0.8782])

    Source: Yin et al. 2021, Nat. Mach. Intell. 3, 905, doi 10.1038/s42256-021-00397-w.
    """

    mu: float = 0.0
    sigma: float = 0.5
    h: float = 0.15
    s: float = 6.0
    grad_scale: float = 1.0

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor | float) -> Tensor:
        x = v_mem - spike_threshold
        centre = _normal_density(x, self.mu, self.sigma)
        right = _normal_density(x, self.mu + self.sigma, self.s * self.sigma)
        left = _normal_density(x, self.mu - self.sigma, self.s * self.sigma)
        return self.grad_scale * ((1 + self.h) * centre - self.h * right - self.h * left)
