"""Data-based weight normalisation: activations of a known size, the same function."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

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
            a BatchNorm is left, or the percentile is out of range. Nothing is changed.
        TypeError: the network has spiking layers, or a param layer is no convolution or linear layer.

    Warns:
        UserWarning: a layer is silent on the sample data and keeps its weights, or has none; or the output is not the
            old one times a constant, because some layer is not proportional to its input as a ReLU is.

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

    lambdas = {
        param: float(np.percentile(before.outputs[output].float().cpu().numpy(), percentile))
        for param, output in pairs.items()
    }
    factors: dict[str, float] = {}
    factor = 1.0
    for name in before.order:
        previous = factor
        if name in lambdas:
            factor = _factor(name, lambdas[name], previous, percentile)
            factors[name] = factor
        scale(layers[name], weight_by=factor / previous, bias_by=factor)
    after = watch_pass(_WHERE, ann, sample_data, layers, [])
    if isinstance(before.result, Tensor):
        _warn_if_changed(before.result * factor, after.result)
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


def _factor(name: str, activation: float, previous: float, percentile: float) -> float:
    if activation > 0 and np.isfinite(activation):
        return 1 / activation
    warnings.warn(
        f"{_WHERE}: the {percentile:g}th percentile of the output behind {name!r} is {activation:g} on the sample "
        "data, so its weights stay. Give more data or a higher percentile.",
        stacklevel=3,
    )
    return previous


def _warn_if_changed(expected: Tensor, came: Tensor) -> None:
    largest = expected.abs().max().item() if expected.numel() else 0.0
    deviation = (expected - came).abs().max().item() if expected.numel() else 0.0
    tolerance = 100 * torch.finfo(came.dtype).eps * largest
    if deviation > tolerance:
        warnings.warn(
            f"{_WHERE}: the output is not the old one times a constant (off by up to {deviation / largest:.1%}). "
            "Some layer is not proportional to its input as a ReLU is (rounding, sigmoid, LayerNorm), or a skip "
            "connection adds up layers of different factors.",
            stacklevel=3,
        )
