"""Data-based weight normalisation: activations of a known size, the same function."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from picojoule.convert.graph import AFFINE
from picojoule.convert.scale_layers import (
    Pass,
    refuse_states,
    scale,
    watch_pass,
    weighted_layers,
)
from picojoule.near_names import did_you_mean

_WHERE = "normalize_weights"


def normalize_weights(
    ann: nn.Module,
    sample_data: Tensor,
    output_layers: Sequence[str],
    param_layers: Sequence[str],
    percentile: float = 99,
) -> dict[str, float]:
    """Rescale a ReLU network, in place, so that each layer's activations reach about 1.

        W_l *= lambda_{l-1} / lambda_l,   b_l /= lambda_l

    `lambda_l` is the percentile of the activations of the l-th output layer, `lambda_0 = 1`. The
    function keeps its shape: the output of the network is the old one times one constant, biases
    included. Layers with a bias that are not listed but run behind a listed one have their bias scaled
    along. Runs in evaluation mode; modes and hooks are left as they were.

    Args:
        ann: the network, BatchNorm folded.
        sample_data: one batch of its input.
        output_layers: names of the layers whose output is to be normalised, ReLUs as a rule; nested
            names such as "block.relu" too.
        param_layers: names of the convolutions and linear layers in front of them, in the order they run.
        percentile: which percentile of the activations becomes 1, 0 to 100; 100 is the maximum.

    Returns:
        By param layer, what its output has been multiplied by; the last is the network's factor where it
        is the last of the layers.

    Raises:
        ValueError: a name is unknown, the lists do not fit one another or the order in which the layers run,
            a BatchNorm is left, an output layer is not called or gives no values (no samples), or the percentile is out
            of range. Nothing is changed.
        TypeError: the network has spiking layers, a param layer is no convolution or linear layer, or an output layer
            gives something else than one tensor.

    Warns:
        UserWarning: a layer is silent on the sample data and keeps its weights, or has none; or the output is not the
            old one times a constant, because some layer is not proportional to its input as a ReLU is. Of an output of
            several tensors, each has the constant of the layer in front of it.

    Example:
        >>> ann = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
        >>> _ = nn.init.constant_(ann[0].weight, 4.0)
        >>> normalize_weights(ann, torch.ones(1, 2), ["1"], ["0"])
        {'0': 0.125}
        >>> ann(torch.ones(1, 2))
        tensor([[1., 1.]], grad_fn=<ReluBackward0>)

    Source: Rueckauer et al. 2017, Front. Neurosci. 11:682, doi 10.3389/fnins.2017.00682, section 2.2.1;
    the signature is that of sinabs 3.1.3, which leaves the biases of later layers behind.
    """
    _check_arguments(ann, output_layers, param_layers, percentile)
    pairs = _pairs(ann, output_layers, param_layers)
    if not pairs:
        return {}
    refuse_states(_WHERE, ann)
    layers = weighted_layers(_WHERE, ann)
    before = watch_pass(_WHERE, ann, sample_data, layers, list(pairs.values()))
    _check_order(before, list(pairs))

    lambdas = {param: _percentile(before, output, percentile) for param, output in pairs.items()}
    factors: dict[str, float] = {}
    factor, behind_layers = 1.0, []
    for name in before.order:
        previous = factor
        if name in lambdas:
            factor = _factor(name, lambdas[name], previous, percentile)
            factors[name] = factor
        scale(layers[name], weight_by=factor / previous, bias_by=factor)
        behind_layers.append(factor)
    after = watch_pass(_WHERE, ann, sample_data, layers, [])
    _warn_if_changed(sample_data, before.result, after.result, behind_layers)
    return factors


def _check_arguments(
    ann: nn.Module,
    output_layers: Sequence[str],
    param_layers: Sequence[str],
    percentile: float,
) -> None:
    if len(output_layers) != len(param_layers):
        raise ValueError(
            f"{_WHERE}: {len(output_layers)} output layers and {len(param_layers)} param layers, expected as "
            "many of the one as of the other."
        )
    if not 0 <= percentile <= 100:
        raise ValueError(f"{_WHERE}: percentile is {percentile}, expected 0 to 100.")
    names = [name for name, _ in ann.named_modules(remove_duplicate=False) if name]
    for kind, listed in (("output_layers", output_layers), ("param_layers", param_layers)):
        for name in listed:
            if name not in names:
                hint = did_you_mean(name, names, otherwise=f" There are {', '.join(names)}.")
                raise ValueError(f"{_WHERE}: {kind} names {name!r}, which is not there.{hint}")
        if len(set(listed)) != len(listed):
            raise ValueError(f"{_WHERE}: {kind} names a layer twice: {list(listed)}.")


def _pairs(
    ann: nn.Module, output_layers: Sequence[str], param_layers: Sequence[str]
) -> dict[str, str]:
    """Output layer by param layer, without those that have no parameters."""
    pairs = {}
    for output, param in zip(output_layers, param_layers, strict=True):
        layer = ann.get_submodule(param)
        if isinstance(layer, AFFINE):
            pairs[param] = output
        elif any(True for _ in layer.parameters()):
            raise TypeError(
                f"{_WHERE}: param layer {param!r} is a {type(layer).__name__}, expected a convolution or linear "
                "layer."
            )
        else:
            warnings.warn(
                f"{_WHERE}: param layer {param!r} ({type(layer).__name__}) has no parameters, so there is nothing "
                "to scale. Name the convolution or linear layer in front of it.",
                stacklevel=3,
            )
    return pairs


def _check_order(seen: Pass, param_layers: Sequence[str]) -> None:
    repeated = {name for name in seen.order if seen.order.count(name) > 1}
    if repeated:
        raise ValueError(
            f"{_WHERE}: layer {sorted(repeated)[0]!r} is called more than once in a forward pass, so no one factor "
            "suits it."
        )
    expected = [name for name in seen.order if name in param_layers]
    if expected != list(param_layers):
        raise ValueError(
            f"{_WHERE}: param_layers is {list(param_layers)}, but the forward pass runs {expected}. List the layers "
            "in the order they run, each with its output layer."
        )


def _percentile(seen: Pass, output: str, percentile: float) -> float:
    if output not in seen.outputs:
        raise ValueError(
            f"{_WHERE}: output layer {output!r} is not called in a forward pass. Name the ReLU behind the param layer."
        )
    values = seen.outputs[output]
    if not values.numel():
        raise ValueError(
            f"{_WHERE}: output layer {output!r} gave no values (shape {tuple(values.shape)}), expected at least one sample "
            "in sample_data."
        )
    return float(np.percentile(values.float().cpu().numpy(), percentile))


def _factor(name: str, activation: float, previous: float, percentile: float) -> float:
    if activation > 0 and np.isfinite(activation):
        return 1 / activation
    warnings.warn(
        f"{_WHERE}: the {percentile:g}th percentile of the output behind {name!r} is {activation:g} on the sample "
        "data, so its weights stay. Give more data or a higher percentile.",
        stacklevel=3,
    )
    return previous


def _warn_if_changed(data: Tensor, before: Any, after: Any, factors: list[float]) -> None:
    """One tensor should be the old one times the last factor, of several each times that of the layer in front of it."""
    pairs = [
        pair for pair in zip(_tensors(before), _tensors(after), strict=True) if pair[0] is not data
    ]
    if not pairs:
        warnings.warn(
            f"{_WHERE}: the network gives a {type(before).__name__} without tensors, so whether it is the old one times a "
            "constant could not be checked. Return tensors, or tuples, lists, dicts or dataclasses of them.",
            stacklevel=3,
        )
    allowed = factors[-1:] if len(pairs) == 1 else factors
    shares = [_share_off(old, new, allowed) for old, new in pairs]
    if max(shares, default=0.0) > 0:
        warnings.warn(
            f"{_WHERE}: the output is not the old one times a constant (off by up to {max(shares):.1%}). "
            "Some layer is not proportional to its input as a ReLU is (rounding, sigmoid, LayerNorm), or a skip "
            "connection adds up layers of different factors.",
            stacklevel=3,
        )


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in an output, in order."""
    if isinstance(value, Tensor):
        return [value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    return (
        [tensor for part in value for tensor in _tensors(part)]
        if isinstance(value, list | tuple)
        else []
    )


def _share_off(before: Tensor, after: Tensor, factors: list[float]) -> float:
    """How far a tensor is from the old one times a factor, as a share of its largest value; 0 within rounding."""
    if before.shape != after.shape:
        return math.inf
    if not before.numel():
        return 0.0
    if not (before.is_floating_point() or before.is_complex()):  # a class, which is to stay
        return 0.0 if torch.equal(before, after) else 1.0
    exact = torch.promote_types(before.dtype, torch.float64)
    old, new = before.cpu().to(exact), after.cpu().to(exact)
    deviation, by = min(((old * by - new).abs().max().item(), by) for by in factors)
    largest = (old * by).abs().max().item()
    if not deviation > 100 * torch.finfo(after.dtype).eps * largest:
        return 0.0
    return deviation / (largest or new.abs().max().item())
