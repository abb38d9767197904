"""The last few percent, without training: one gain for each limit, found by bisection on calibration data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from picojoule.budget.constraints import Constraint
from picojoule.budget.wiring import Wiring
from picojoule.layers import reset_states
from picojoule.layers.evaluating import evaluating
from picojoule.synops.counting_monitor import CountingMonitor

_ROUNDS = 3  # limits that share layers move one another
_TRIES = 12  # passes over the data for one limit and round
_LIFT, _HIGHEST = 0.02, 1.0  # logarithms of the first gain for a floor, and of all together
_RAISED = 0.3  # share of a limit that is filled up again at most


class Trimmed(NamedTuple):
    """What a trim has done.

    Args:
        before: what each limit and floor measured, in the unit of its bound; of each neuron or channel, the worst.
        after: the same now.
        gains: by what the currents into each spiking layer were multiplied.
    """

    before: dict[str, float]
    after: dict[str, float]
    gains: dict[str, float]


class Trimming:
    """A model whose currents are scaled until its limits are just kept.

    Args:
        monitor: of the model; a twin of it measures.
        forward: runs the model on the calibration data, in one call or several, with `reset_states` before each.
        wiring: which weights drive which spikes.
        margin: share of each limit to stay under.
    """

    def __init__(
        self,
        monitor: CountingMonitor,
        forward: Callable[[], object],
        wiring: Wiring,
        margin: float,
    ) -> None:
        self._monitor, self._forward = monitor, forward
        self._wiring, self._margin = wiring, margin
        self._gains: dict[str, float] = {}
        self.measured: dict[str, Tensor] = {}  # what the last pass over the data told
        self.without_weights: dict[str, str] = {}  # limits that stay broken for that reason: why

    def run(
        self,
        limits: Mapping[str, Constraint],
        binding: frozenset[str],
        floors: Mapping[str, Constraint],
    ) -> Trimmed:
        """Trim; the weights stay as they were where something fails.

        Args:
            limits: by name.
            binding: those that held training down, and may be filled up again.
            floors: by name; one that was kept stays so, where the limits leave room for it.
        """
        weights = {p for drive in self._wiring.drives.values() for p in drive.last}
        before = [(p, p.detach().clone()) for p in weights]
        try:
            return self._run(limits, binding, floors)
        except BaseException:
            with torch.no_grad():
                for parameter, value in before:
                    parameter.copy_(value)
            raise

    def _run(
        self,
        limits: Mapping[str, Constraint],
        binding: frozenset[str],
        floors: Mapping[str, Constraint],
    ) -> Trimmed:
        every = {**limits, **floors}
        before = values = self._measure(every)
        # one gain is too blunt for what training left above a ceiling of each neuron; one that was kept stays so
        single = {name for name in limits if self.measured[name].ndim == 0}
        trimmed = {n: x for n, x in limits.items() if n in single or before[n] <= x.bound}
        # upstream moves downstream
        order = sorted(trimmed, key=lambda name: self._depth(trimmed[name]))
        filled = binding | {n for n, x in trimmed.items() if x.spends and before[n] > x.bound}
        for _ in range(_ROUNDS):
            off = [n for n in order if not self._kept(trimmed[n], values[n], n in filled)]
            if not off:
                break
            for name in off:
                self._trim(name, trimmed, fill=name in filled)
            values = self._measure(trimmed)
        for name in order:  # those that share layers with others end below, never above
            if values[name] > trimmed[name].bound:
                self._trim(name, trimmed, fill=False)
                values = self._measure(trimmed)
        for name, floor in floors.items():
            if before[name] >= floor.bound:
                self._lift(name, floor, trimmed)
        after = self._measure(every)
        self.without_weights = {
            name: self._no_weights(limit, after[name])
            for name, limit in limits.items()
            if after[name] > limit.bound and not self._sources(limit)
        }
        return Trimmed(before, after, dict(self._gains))

    def _no_weights(self, limit: Constraint, value: float) -> str:
        layers = limit.spiking_layers or self._wiring.sources(limit.counted_layers)
        where = ", ".join(map(repr, layers)) or "the spiking layers"
        return (
            f"{limit.name} = {limit.bound:g} is not reached: {value:.4g} after the trim, since no weight that is trained "
            f"scales the currents into {where}. Train one there, or raise the limit."
        )

    def _depth(self, limit: Constraint) -> int:
        names = list(self._wiring.drives)
        return min((names.index(n) for n in self._sources(limit)), default=len(names))

    def _sources(self, limit: Constraint) -> tuple[str, ...]:
        drives = self._wiring.drives
        found = limit.spiking_layers or self._wiring.sources(limit.counted_layers)
        return tuple(n for n in found if n in drives and drives[n].scaled)

    def _kept(self, limit: Constraint, value: float, fill: bool) -> bool:
        share = value / limit.bound
        full = 1 - 2 * self._margin <= share or share < 1 - _RAISED or not fill
        return share <= 1 - self._margin / 2 and full

    def _trim(self, name: str, limits: Mapping[str, Constraint], *, fill: bool) -> None:
        """Bisect the logarithm of one gain, after it has been bracketed."""
        limit = limits[name]
        sources = self._sources(limit)
        if not sources:
            return
        aim, at = limit.bound * (1 - self._margin), 0.0
        value = self._measure({name: limit})[name]
        low = high = None  # logarithms of gains that spend too little and too much
        for _ in range(_TRIES):
            if value <= limit.bound * (1 - self._margin / 2) and (
                value >= limit.bound * (1 - 1.5 * self._margin) or not fill
            ):
                return
            low, high = (at, high) if value <= aim else (low, at)
            if low is not None and high is not None:
                if high - low < 1e-4:
                    break
                following = (low + high) / 2
            else:
                following = at + max(-0.3, min(0.5 * math.log(aim / max(value, 1e-9)), 0.1)) * 1.1
            self._scale(sources, following - at)
            at = following
            value = self._measure({name: limit})[name]
        if value > limit.bound and low is not None:
            self._scale(sources, low - at)

    def _lift(self, name: str, floor: Constraint, limits: Mapping[str, Constraint]) -> None:
        """Scale a floor's layers up until it is kept again; as before, if that breaks a limit."""
        sources = self._sources(floor)
        lifted, step = 0.0, _LIFT
        while self._measure({name: floor})[name] < floor.bound:
            self._scale(sources, step)
            lifted, step = lifted + step, 2 * step
            values = self._measure(limits)
            if lifted > _HIGHEST or any(values[n] > each.bound for n, each in limits.items()):
                self._scale(sources, -lifted)
                return

    @torch.no_grad()
    def _scale(self, sources: tuple[str, ...], log_gain: float) -> None:
        factor, done = math.exp(log_gain), set[int]()
        for layer in sources:
            self._gains[layer] = self._gains.get(layer, 1.0) * factor
            for parameter in self._wiring.drives[layer].scaled:
                if id(parameter) not in done:  # two layers may share it
                    parameter.mul_(factor)
                    done.add(id(parameter))

    def _measure(self, constraints: Mapping[str, Constraint]) -> dict[str, float]:
        """What each measures on the calibration data; of each neuron or channel, the worst."""
        model, counting = self._monitor.model, self._monitor.twin()
        reset_states(model)
        with torch.no_grad(), self._monitor.paused(), evaluating(model), counting:
            self._forward()
        reset_states(model)
        self.measured = values = {n: x.read(counting).value for n, x in constraints.items()}
        numbers = {
            name: (x.max() if constraints[name].upper else x.min()).item()
            for name, x in values.items()
        }
        for name, number in numbers.items():
            if not math.isfinite(number):
                raise FloatingPointError(
                    f"Budget.trim: {name} is {number} on the calibration data. See picojoule.check_finite(model), which names the "
                    "layer, and look for values in the data that are not finite. The weights are as they were."
                )
        return numbers
