"""One batch as the controller sees it: each constraint as one number that training can change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from picojoule.budget.constraints import Constraint, Reading
from picojoule.budget.constraints import mean as mean_of
from picojoule.budget.limits import check_called
from picojoule.budget.reach import Reach
from picojoule.budget.steering import Aim
from picojoule.budget.wiring import Wiring
from picojoule.synops.counting_monitor import CountingMonitor


@dataclass
class Measured:
    """A batch.

    Args:
        aims: what each constraint asks for, of what training can change.
        values: what each measures, in the unit of its bound.
        terms: the logarithm of each, with gradient, to go down.
        spent: SynOps that each spiking layer's spikes cause, per time step.
        rates: mean rate of each spiking layer.
        readings: what each constraint measures in all, given parts included, without gradient.
        anew: the constraints of which another part is given than in the pass before.
    """

    aims: dict[str, Aim]
    values: dict[str, float]
    terms: dict[str, Tensor] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    anew: set[str] = field(default_factory=set)


def measured(
    monitor: CountingMonitor,
    constraints: Mapping[str, Constraint],
    wiring: Wiring,
    reach: Reach,
    margin: float,
) -> Measured:
    """What the monitor's last pass says. Waits for the device once.

    Of a limit, what training cannot change is taken off the value and off the bound. Of a bound on each neuron or
    channel, the value is the bound times the mean of what is beyond it.

    Raises:
        FloatingPointError: something is not finite.
    """
    check_called(wiring.drives, monitor.rates)
    readings = {name: each.read(monitor) for name, each in constraints.items()}
    trained = {name: each for name, each in readings.items() if each.value.requires_grad}
    steered = {name: _steered(constraints[name], each, margin) for name, each in trained.items()}
    synops, rates = monitor.synops, monitor.rates
    numbers = _floats(
        {("value", n): each for n, each in steered.items()}
        | {("synops", n): each for n, each in synops.items()}
        | {("rate", n): rates[n].mean() for n in wiring.drives}
    )
    _check_finite(numbers)
    anew = reach.notice(constraints, readings, monitor)
    aims = {}
    for name, reading in trained.items():
        constraint = constraints[name]
        known = constraint.spiking_layers or wiring.sources(constraint.counted_layers)
        sources = tuple(layer for layer in known if layer in wiring.drives)
        room = reach.room(constraint, margin)
        aims[name] = Aim(room, constraint.upper, sources, gains=reading.value.ndim == 0)
    return Measured(
        aims,
        {name: numbers["value", name] for name in trained},
        {name: _term(aims[name], steered[name]) for name in trained},
        {n: sum(numbers["synops", end] for end in ends) for n, ends in wiring.reached.items()},
        {name: numbers["rate", name] for name in wiring.drives},
        {
            n: Reading(x.value.detach(), x.fixed.detach(), x.fixed_layers)
            for n, x in readings.items()
        },
        anew,
    )


def mean(batches: Sequence[Measured]) -> Measured:
    """The mean over the micro-batches of one step, without their gradients."""

    def averaged(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
        return {name: sum(one[name] for one in each) / len(each) for name in each[0]}

    return Measured(
        batches[-1].aims,
        averaged([batch.values for batch in batches]),
        {},
        averaged([batch.spent for batch in batches]),
        averaged([batch.rates for batch in batches]),
        {n: mean_of([batch.readings[n] for batch in batches]) for n in batches[-1].readings},
    )


def _steered(constraint: Constraint, reading: Reading, margin: float) -> Tensor:
    """The part that training can change, as one number."""
    if reading.value.ndim == 0:
        return reading.value - reading.fixed
    aim = constraint.bound * (1 - margin if constraint.upper else 1 + margin)
    share = reading.value / aim
    return aim * (share.clamp(min=1) if constraint.upper else share.clamp(max=1)).mean()


def _term(aim: Aim, value: Tensor) -> Tensor:
    """What training is to lower: the logarithm of the value, for a floor its negative, which is finite at zero."""
    now = value.detach()
    if aim.upper:
        return value / now.clamp(min=1e-30)
    return -value / torch.maximum(now, now.new_tensor(0.05 * aim.bound))


def _floats(tensors: Mapping[tuple[str, str], Tensor]) -> dict[tuple[str, str], float]:
    if not tensors:
        return {}
    rows = torch.stack([each.detach().double() for each in tensors.values()]).tolist()
    return dict(zip(tensors, rows, strict=True))


def _check_finite(numbers: Mapping[tuple[str, str], float]) -> None:
    bad = [f"{kind} of {name}" for (kind, name), x in numbers.items() if not abs(x) < float("inf")]
    if bad:
        raise FloatingPointError(
            f"Budget: not finite: {', '.join(bad[:5])}. The forward pass or its weights are no longer finite: go back "
            "to a checkpoint, lower the learning rate, and see picojoule.check_finite(model), which names the layer."
        )
