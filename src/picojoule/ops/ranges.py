"""The ranges that a neuron's numbers lie in: the same for the functions and for the layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from picojoule.activation.transforms import is_transformed


def out_of_range(name: str, value: Tensor | float) -> str | None:
    """What is wrong with a number of a neuron, if anything; without memory there is nothing to see.

    Example:
        >>> out_of_range("threshold", torch.tensor([1.0, 0.0]))
        'threshold is (2,) in [0, 1], expected threshold > 0 and finite.'
    """
    if isinstance(value, Tensor) and value.is_meta:
        return None
    if name.startswith("alpha"):
        good, expected = (value > 0) & (value <= 1), f"0 < {name} <= 1"
    elif name.startswith("tau"):
        good, expected = value > 0, f"{name} > 0"
    elif name.endswith("threshold"):
        # a reset subtracts 0 spikes times the threshold, which is NaN if that is infinite
        good, expected = (value > 0) & (value < math.inf), f"{name} > 0 and finite"
    elif name == "min_v_mem":
        good, expected = value < math.inf, f"{name} < inf"
    elif name == "adapt_scale":
        good, expected = (value > -math.inf) & (value < math.inf), f"{name} finite"
    else:
        return None
    is_good = bool(good.all()) if isinstance(good, Tensor) else good
    return None if is_good else f"{name} is {brief(value)}, expected {expected}."


def can_be_looked_into(value: Tensor | float) -> bool:
    """Whether to see a number takes no wait for a device, and breaks no graph."""
    if not isinstance(value, Tensor):
        return True
    plain = type(value) in (Tensor, nn.Parameter) and value.device.type == "cpu"
    return plain and not torch.compiler.is_compiling() and not is_transformed()


def brief(value: Tensor | float) -> str:
    """A number as a message shows it; the shape of several, and what they lie between."""
    if not isinstance(value, Tensor):
        return str(value)
    if value.is_meta:
        return f"{tuple(value.shape)} on meta"
    if value.numel() == 1:
        return f"{value.item():.4g}"
    return f"{tuple(value.shape)} in [{value.min().item():.4g}, {value.max().item():.4g}]"
