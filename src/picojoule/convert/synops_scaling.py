"""Scaling a network's activity to a number of SynOps."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from picojoule.convert.scale_layers import evaluated, scale, watch_pass, weighted_layers
from picojoule.convert.settled import copied
from picojoule.hooks import get_hook_data_dict, register_synops_hooks
from picojoule.layers import reset_states, stateful_layers

_WHERE = "scale_to_synops"


class SynopsScaling(NamedTuple):
    """What :func:`scale_to_synops` did."""

    layer: str  # whose weights were multiplied
    factor: float
    synops_per_sample_before: float
    synops_per_sample_after: float


def scale_to_synops(
    model: nn.Sequential,
    sample_data: Tensor,
    synops_per_sample: float,
    *,
    num_timesteps: int | None = None,
    tolerance: float = 0.02,
    max_passes: int = 30,
) -> SynopsScaling:
    """Rescale a network, in place, so that it spends a given number of SynOps on sample data.

        W_1 *= f,   b_l *= f for all l:   activity and SynOps(f) - SynOps of the input are proportional to f

    One factor `f`: the weights of the first layer are multiplied by it and so are the biases of all
    layers, which scales a ReLU network's function by `f` and leaves its decisions alone. What the first
    layer spends depends on the input alone and cannot be scaled. In spiking or rounding networks SynOps
    only about follow `f`, and few of them cost accuracy: `f` is then found by bisection. Runs on a copy in
    evaluation mode, from states at zero; states, modes and hooks of the model stay.

    Args:
        model: a (nested) Sequential that `register_synops_hooks` can count, BatchNorm folded.
        sample_data: one batch of its input.
        synops_per_sample: the target, above what the first layer spends.
        num_timesteps: time steps of a sample in `sample_data`; needed if the model has states.
        tolerance: how far from the target is near enough, as a share of it.
        max_passes: give up after as many forward passes.

    Returns:
        The layer, the factor, and the SynOps before and after.

    Raises:
        ValueError: the target is not above what the first layer spends, or cannot be reached; a BatchNorm
            is left; `num_timesteps` is missing. Nothing is changed.
        TypeError: the model is not a Sequential.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 2))
        >>> report = scale_to_synops(model, torch.rand(16, 4), synops_per_sample=100)
        >>> round(report.synops_per_sample_after)
        100

    Source: Sorbaro et al. 2020, Front. Neurosci. 14:662, doi 10.3389/fnins.2020.00662, where scaling the first
    layer's weights is the baseline of the curve of accuracy over SynOps. Scaling the biases along, which
    keeps the function, and the search are ours.
    """
    steps = _num_timesteps(model, num_timesteps)
    layers = weighted_layers(_WHERE, model)
    trial = _ScaledCopy(model, sample_data, steps)
    before = trial.synops(1.0)
    fixed = before - trial.scalable
    if not fixed < synops_per_sample < math.inf:
        raise ValueError(
            f"{_WHERE}: synops_per_sample is {synops_per_sample:g}, but the first layer alone spends {fixed:g} on "
            "this input, whatever its weights. Ask for more, or feed in less."
        )
    if trial.scalable == 0:
        raise ValueError(
            f"{_WHERE}: the network is silent on the sample data, so no factor can be told. Scale its first layer "
            "up until something fires, or give other data."
        )
    factor, after = _search(trial, fixed, before, synops_per_sample, tolerance, max_passes)
    for name, layer in layers.items():
        scale(layer, weight_by=factor if name == trial.first else 1.0, bias_by=factor)
    return SynopsScaling(trial.first, factor, before, after)


class _ScaledCopy:
    """A copy of the model to try factors on."""

    def __init__(self, model: nn.Sequential, data: Tensor, num_timesteps: int) -> None:
        self.model = copied(model)
        for module in self.model.modules():
            module._forward_hooks.clear()
        self._data, self._num_timesteps = data, num_timesteps
        self._layers = weighted_layers(_WHERE, self.model)
        register_synops_hooks(self.model)
        reset_states(self.model)
        self.first = watch_pass(_WHERE, self.model, data, self._layers, []).order[0]
        self._original = copy.deepcopy(self.model.state_dict())
        self.scalable = math.nan

    def synops(self, factor: float) -> float:
        """SynOps per sample with the factor; `scalable` is then the share behind the first layer."""
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(self._original[name])
        for name, layer in self._layers.items():
            scale(layer, weight_by=factor if name == self.first else 1.0, bias_by=factor)
        reset_states(self.model)
        with evaluated(self.model), torch.no_grad():
            self.model(self._data)
        data = get_hook_data_dict(self.model)
        first = get_hook_data_dict(self._layers[self.first])["synops_per_timestep"]
        total = float(data["total_synops_per_timestep"]) * self._num_timesteps
        self.scalable = total - float(first) * self._num_timesteps
        return total


def _search(
    trial: _ScaledCopy,
    fixed: float,
    before: float,
    target: float,
    tolerance: float,
    max_passes: int,
) -> tuple[float, float]:
    """The factor and its SynOps: in proportion first, which suits a ReLU network, then by bisection."""
    factor, after = 1.0, before
    low, high = 0.0, math.inf
    for _ in range(max_passes):
        if abs(after - target) <= tolerance * target:
            return factor, after
        if after < target:
            low = factor
        else:
            high = factor
        if low > 0 and high < math.inf:
            factor = math.sqrt(low * high)
        else:
            in_proportion = (target - fixed) / max(after - fixed, 0.1 * (target - fixed))
            factor *= max(in_proportion, 0.1)
        after = trial.synops(factor)
    raise ValueError(
        f"{_WHERE}: {target:g} SynOps per sample are not reached within {tolerance:.0%} in {max_passes} passes; "
        f"the last tried was {after:g} with factor {factor:g}. Spiking layers that are saturated or silent "
        "spend what they spend: ask for another number, or give a larger tolerance."
    )


def _num_timesteps(model: nn.Sequential, num_timesteps: int | None) -> int:
    stateful = [name for name, _ in stateful_layers(model)]
    if num_timesteps is None and stateful:
        raise ValueError(
            f"{_WHERE}: {stateful[0]!r} works over time; give num_timesteps, the time steps of a sample in "
            "sample_data."
        )
    if num_timesteps is not None and num_timesteps < 1:
        raise ValueError(
            f"{_WHERE}: num_timesteps is {num_timesteps}, expected num_timesteps >= 1."
        )
    return num_timesteps or 1
