"""Floors that alone spend more than a limit allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from picojoule.budget.constraints import Constraint
from picojoule.budget.rate_bound import RateBound
from picojoule.layers import FlattenTime, SumPool2d, UnflattenTime
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.synops.fan_out import Convolution, derivative_of_sum
from picojoule.synops.magnitudes import is_strided

_SAME_VALUES = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_ONLY_TIME = (FlattenTime, UnflattenTime)
Counted = Convolution | nn.Linear


class Contradiction(NamedTuple):
    """A floor that a limit cannot afford."""

    floor: RateBound
    limit: Constraint
    reason: str


def contradictions(
    model: nn.Module, monitor: CountingMonitor, constraints: Sequence[Constraint]
) -> list[Contradiction]:
    """The floors of a (nested) Sequential whose spikes alone exceed a limit of the next counted layer.

        spent >= factor * sum over neurons of floor * fan_out

    Of a mean over neurons only the least fan-out is sure, since the spikes may lie where it is least. Where zero weights do
    not count, the fan-out is that of the synapses that are there now. Other models, layers between that change values, and
    layers that are counted by the user's formulas or not at all give no proof and so no entry.
    """
    floors = {c.layer: c for c in constraints if isinstance(c, RateBound) and c.is_floor}
    limits = [c for c in constraints if c.spends]
    found = []
    for spiking, counted, fan_out in _fan_outs(model, monitor):
        floor = floors.get(spiking)
        if floor is None or floor.percentile is not None:
            continue
        synops = floor.bound * _sure(fan_out, floor)
        for limit in limits:
            if limit.counted_layers and counted not in limit.counted_layers:
                continue
            spent = synops * limit.factor(monitor.synops.num_timesteps)
            if spent > limit.bound:
                where = repr(counted)
                if monitor.weights == "nonzero":
                    where += ", with the synapses that it has,"
                found.append(Contradiction(floor, limit, _reason(floor, limit, where, spent)))
    return found


def _reason(floor: RateBound, limit: Constraint, where: str, spent: float) -> str:
    affordable = floor.bound * limit.bound / spent
    return (
        f"{floor.name} = {floor.bound:g} alone makes layer {where} spend {spent:.4g}, more than "
        f"{limit.name} = {limit.bound:g} allows; it can afford a rate of {affordable:.3g}. The limit wins."
    )


def _sure(fan_out: Tensor, floor: RateBound) -> float:
    if floor.of == "neuron" or (floor.of == "channel" and fan_out.ndim == 1):
        return fan_out.sum().item()
    if floor.of == "channel":
        return (fan_out.flatten(1).amin(1) * fan_out[0].numel()).sum().item()
    return fan_out.min().item() * fan_out.numel()


def _fan_outs(model: nn.Module, monitor: CountingMonitor) -> Iterator[tuple[str, str, Tensor]]:
    """(spiking layer, next counted layer, synapses of each neuron, `*n`), where they are sure."""
    rates, spiking = monitor.rates, ""
    chain: list[nn.Module] = []
    for name, module in _leaves(model):
        if name in rates:
            chain, spiking = [], name
        elif spiking and isinstance(module, Counted):
            synapses = _synapses(name, module, monitor)
            if synapses is not None and _keeps_samples(chain):
                fan_out = _through(chain, module, synapses, tuple(rates[spiking].shape))
                if fan_out is not None:
                    yield spiking, name, fan_out
            spiking = ""
        elif isinstance(module, (SumPool2d, nn.Flatten)):
            chain.append(module)
        elif not isinstance(module, (*_SAME_VALUES, *_ONLY_TIME)):
            spiking = ""


def _leaves(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    if not isinstance(model, nn.Sequential):
        return
    for name, module in zip(model._modules, model, strict=True):  # one in two places comes twice
        if isinstance(module, nn.Sequential):
            yield from _leaves(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


def _synapses(name: str, layer: Counted, monitor: CountingMonitor) -> Tensor | None:
    """1 where a weight is a synapse that counts, in the shape of the weight; None where that is not sure."""
    settings = monitor.settings
    of_functions = any(not isinstance(each, type) for each in settings.formulas)
    weight: Tensor = layer.weight
    if name not in monitor.synops or settings.formula_of(layer) is not None or of_functions:
        return None
    if not is_strided(weight):  # what is absent is no synapse
        return None
    if isinstance(layer, nn.Linear):
        shape: tuple[int, ...] = (layer.out_features, layer.in_features)
    else:
        shape = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
    if monitor.weights == "all":
        return torch.ones(shape)
    whole = type(weight) in (Tensor, nn.Parameter) and weight.shape == shape  # on this process
    return (weight.detach() != 0).float().cpu() if whole else None


def _keeps_samples(chain: list[nn.Module]) -> bool:
    return all(module.start_dim == 1 for module in chain if isinstance(module, nn.Flatten))


def _through(
    chain: list[nn.Module], counted: Counted, synapses: Tensor, shape: tuple[int, ...]
) -> Tensor | None:
    """Synapses that a spike of each neuron reaches, `*n`; None if a layer on the way has made one axis of neurons and time."""
    with torch.enable_grad():
        x = torch.ones(1, *shape, requires_grad=True)
        y = x
        for module in chain:
            y = module.forward(y)
        if isinstance(counted, nn.Linear):
            if y.shape[-1] != counted.in_features:
                return None
            fan_out = synapses.sum(0)
        else:
            if y.shape[1] != counted.in_channels:
                return None
            convolve = partial(counted._conv_forward, bias=None)
            fan_out = derivative_of_sum(convolve, (1, *y.shape[1:]), synapses)
        (of_neurons,) = torch.autograd.grad((fan_out * y).sum(), x)
    return of_neurons[0]
