"""Floors that alone spend more than a limit allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from picojoule.budget.constraints import Constraint
from picojoule.budget.rate_bound import RateBound
from picojoule.layers import FlattenTime, SumPool2d, UnflattenTime
from picojoule.synops import CONVOLUTIONS, conv_fan_out
from picojoule.synops.counting_monitor import CountingMonitor

_SAME_VALUES = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_ONLY_TIME = (FlattenTime, UnflattenTime)


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

    Of a mean over neurons only the least fan-out is sure, since the spikes may lie where it is least. Other models, and
    layers between that change values, give no proof and so no entry.
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
                found.append(Contradiction(floor, limit, _reason(floor, limit, counted, spent)))
    return found


def _reason(floor: RateBound, limit: Constraint, counted: str, spent: float) -> str:
    affordable = floor.bound * limit.bound / spent
    return (
        f"{floor.name} = {floor.bound:g} alone makes layer {counted!r} spend {spent:.4g}, more than "
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
        elif spiking and isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            fan_out = _through(chain, module, tuple(rates[spiking].shape))
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
    for name, module in model.named_children():
        if isinstance(module, nn.Sequential):
            yield from _leaves(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module


def _through(chain: list[nn.Module], counted: nn.Module, shape: tuple[int, ...]) -> Tensor | None:
    if any(isinstance(module, nn.Flatten) and module.start_dim != 1 for module in chain):
        return None
    with torch.enable_grad():
        x = torch.ones(1, *shape, requires_grad=True)
        y = x
        for module in chain:
            y = module.forward(y)
        if isinstance(counted, CONVOLUTIONS):
            synapses = (conv_fan_out(counted, y.shape[1:], device="cpu") * y).sum()
        else:
            assert isinstance(counted, nn.Linear)
            synapses = y.sum() * counted.out_features
        (fan_out,) = torch.autograd.grad(synapses, x)
    return fan_out[0]
