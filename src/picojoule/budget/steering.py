"""How hard a budget pulls, and by how much it scales currents: a controller in two ranges, on plain numbers.

    average <- 0.6 * average + 0.4 * value;   slow <- 0.9 * slow + 0.1 * value
    E = log(average / target), of a floor its negative;   e = clip((E + clip(log(average / slow), -0.15, 0.15)) / 0.15, -1, 1)

First range, the pull. The gradient of a constraint is added to that of the task, scaled for each tensor to at most
kappa times the task's own:

    k     <- clip(k + 0.02 * e, 0, 2)
    kappa  = clip(k + 0.5 * min(e, e(this batch) + 1/2), 0, 2);   0 if this batch is 15 % inside

Half of that at most for floors, since limits win. What e adds to E is where the average is heading: weights answer some ten steps
late (an optimizer's momentum), and without it the two swing around the target.

So nothing can wind up, and the units of the task's loss cancel. Second range, the gains: where the pull is at its end and a
limit is still exceeded, or where there is no task, each layer's currents are scaled towards its share of the limit:

    log gain <- log gain - 0.08 * clip(log(spent by the layer / (target * its share)), -0.3, 0.3)

Currents of a layer that falls below a quarter of its share, with room under the limit, are scaled up: it would fall silent. Not
before a limit was near, though: what falls until then, the task has quietened.
Each change of direction halves a layer's steps (Kesten, 1958), steps in one direction let them grow again, fast after
20. Where steps have become small, spending comes in coarse quanta, and the layer stays on the side below its limit. Gains return
to 1 before the pull lets go.

Stable, since average and gain make z^2 - (1.6 - 0.4 L) z + 0.6 with L = 0.08 * d log spent / d log gain, whose roots are inside the unit
circle for L < 8; nets measured had 0.1 to 0.4.
"""

# More than 250 lines: one controller, whose equations stand above; its parts share the tracks of all constraints.

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from picojoule.budget.gain import Gain
from picojoule.budget.split_range import SplitRange

_TINY = 1e-9
_SLOW = 0.9  # decay of the slower average


@dataclass(frozen=True)
class Aim:
    """What one constraint asks of the controller.

    Args:
        bound: where the target ends, > 0.
        upper: a limit or ceiling; else a floor.
        sources: the spiking layers that spend, or fire; gains act on those of a limit and of a floor.
        gains: whether gains may act for it.
    """

    bound: float
    upper: bool
    sources: tuple[str, ...]
    gains: bool = True


@dataclass
class _Track:
    """One constraint on its way."""

    first: float
    average: float
    slow: float  # the slower average
    target: float
    k: float = 0.0
    full: int = 0  # steps in a row at the end of the pull
    pulled: bool = False
    arrived: bool = False
    share: dict[str, float] = field(default_factory=dict)
    first_share: dict[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)  # by source, averaged
    peak: dict[str, float] = field(default_factory=dict)
    near: bool = True  # whether a value has been within `width` of the target, or above; yes, if saved before it was kept


class Steering:
    """The controller of all constraints of a budget.

    Args:
        settings: its numbers.
        horizon: steps until targets are at their bounds, along a geometric course; 0: by `tighten`.
        tighten: without a horizon, the share of itself by which a target falls in a step.

    Example:
        >>> steering = Steering(SplitRange(), horizon=0, tighten=1.0)
        >>> aims = {"limit": Aim(bound=10.0, upper=True, sources=("1",))}
        >>> for _ in range(200):
        ...     kappa = steering.pulls(aims, {"limit": 20.0})["limit"]
        ...     gains = steering.step(aims, {"limit": 20.0}, {"1": 5.0}, {"1": 0.1}, has_task=True)
        >>> kappa, gains["1"] < 1
        (2.0, True)
    """

    def __init__(self, settings: SplitRange, *, horizon: int, tighten: float) -> None:
        self._settings, self._horizon, self._tighten = settings, horizon, tighten
        self._tracks: dict[str, _Track] = {}
        self._gains: dict[str, Gain] = {}
        self.steps = 0
        self.largest = 0.0
        self.kappas: dict[str, float] = {}

    # ---- first range

    def pulls(self, aims: Mapping[str, Aim], values: Mapping[str, float]) -> dict[str, float]:
        """The kappa of each constraint for this batch, from what it measures; moves nothing but the first average."""
        found = {}
        for name, aim in aims.items():
            track, now = self._track(name, aim, values[name]), values[name]
            error = self._unit(self._ahead(aim, track, self._averaged(track, now)))
            batch = self._unit(self._error(aim, track, now))
            grown = self._settings.proportional * self._settings.most * min(error, batch + 0.5)
            found[name] = 0.0 if batch <= -1 else _clip(track.k + grown, 0.0, self._most(aim))
            self._tracks[name].pulled |= found[name] > 0
        self.largest = max([self.largest, *found.values()])
        self.kappas = dict(found)
        return found

    def begin_anew(self, values: Mapping[str, float]) -> None:
        """Let averages begin where these constraints are now, since training can change another part of them than before."""
        for name, value in values.items():
            if (track := self._tracks.get(name)) is not None:
                scale = value / max(track.average, _TINY)
                track.average = track.slow = value
                track.spent = {layer: each * scale for layer, each in track.spent.items()}
                track.peak = {layer: each * scale for layer, each in track.peak.items()}

    # ---- one step

    def step(
        self,
        aims: Mapping[str, Aim],
        values: Mapping[str, float],
        spent: Mapping[str, float],
        rates: Mapping[str, float],
        *,
        has_task: bool,
        held: Collection[str] = (),
    ) -> dict[str, float]:
        """Move averages, pulls, targets and gains.

        Args:
            aims: by the constraint's name.
            values: what each measured in this step.
            spent: SynOps that each spiking layer's spikes caused.
            rates: mean rate of each spiking layer.
            has_task: whether there is a task whose gradient the pull can lean on.
            held: layers whose currents cannot be scaled now, so that their gains stay.

        Returns:
            The factor for the currents into each spiking layer, 1 where nothing changes.
        """
        self.steps += 1
        for name, aim in aims.items():
            track = self._track(name, aim, values[name])
            track.average = self._averaged(track, values[name])
            track.slow = _SLOW * track.slow + (1 - _SLOW) * values[name]
            track.near |= self._error(aim, track, values[name]) > -self._settings.width
            self._move_pull(aim, track)
            self._share_out(aim, track, values[name], spent)
        wanted = self._wanted(aims, rates, has_task)
        for name, aim in aims.items():
            self._move_target(aim, self._tracks[name])
        return {
            name: self._gain(name).turn(change, self._settings)
            for name, change in wanted.items()
            if name not in held
        }

    def _move_pull(self, aim: Aim, track: _Track) -> None:
        error = self._unit(self._ahead(aim, track, track.average))
        if error < 0 and any(self._gain(n).log < -0.02 for n in aim.sources):
            error = 0.0  # gains return first
        most = self._most(aim)
        speed = self._settings.integral * self._settings.most
        track.k = _clip(track.k + speed * error, 0.0, most)
        at_its_end = track.k >= 0.95 * most and error > 0
        track.full = track.full + 1 if at_its_end else 0

    def _share_out(self, aim: Aim, track: _Track, value: float, spent: Mapping[str, float]) -> None:
        """How much of the value each source spends, and what share each is to have."""
        if not aim.upper:
            return
        whole = sum(spent.get(n, 0.0) for n in aim.sources) + _TINY
        now = {n: spent.get(n, 0.0) / whole for n in aim.sources}
        if not track.share:
            track.share = {n: max(each, 1e-3) for n, each in now.items()}
            track.first_share = dict(track.share)
            track.spent = {n: value * each for n, each in now.items()}
            track.peak = dict(track.spent)
        decay = self._settings.decay
        for n, each in now.items():
            track.spent[n] = decay * track.spent[n] + (1 - decay) * value * each
            track.peak[n] = max(0.995 * track.peak[n], track.spent[n])
            if self._error(aim, track, track.average) <= self._settings.band:
                track.share[n] = max(0.97 * track.share[n] + 0.03 * each, 1e-3)

    # ---- second range

    def _wanted(
        self, aims: Mapping[str, Aim], rates: Mapping[str, float], has_task: bool
    ) -> dict[str, float]:
        """Change of each layer's log gain, before its own step size."""
        wanted: dict[str, float] = {}
        limits = {n: aim for n, aim in aims.items() if aim.upper and aim.gains}
        revives = self._has_acted(aims)
        for name, aim in limits.items():
            for layer, change in self._by_limit(aim, self._tracks[name], has_task, revives).items():
                wanted[layer] = min(wanted.get(layer, math.inf), change)
        limited = {layer for aim in limits.values() for layer in aim.sources}
        for layer, rate in rates.items():
            if layer not in limited:
                wanted[layer] = self._by_rate(layer, rate, revives)
        for name, aim in aims.items():
            if not aim.upper and aim.gains:
                self._by_floor(aim, self._tracks[name], limits, wanted)
        return wanted

    def _has_acted(self, aims: Mapping[str, Aim]) -> bool:
        """Whether a limit can have quietened a layer."""
        return any(self._tracks[name].near for name, aim in aims.items() if aim.upper)

    def _by_limit(self, aim: Aim, track: _Track, has_task: bool, revives: bool) -> dict[str, float]:
        s, error = self._settings, self._error(aim, track, track.average)
        hot = error > (s.band if has_task else 0.0) and (not has_task or track.full > 0)
        changes = {}
        for layer, place in self._places(aim, track).items():
            spent, gain = track.spent[layer], self._gain(layer)
            off = math.log(max(spent, _TINY) / place)
            change = 0.0
            if hot:
                change = -s.speed * self._heeded(off if len(aim.sources) > 1 else error)
            elif error < -(s.band if gain.step > s.settled else s.quantum) and gain.log < 0:
                change = min(s.speed * self._heeded(-error), -gain.log)
            fallen = spent < s.revive * min(place, track.peak[layer])
            if revives and fallen and error < 0:
                change = max(change, s.speed * s.clip)
            changes[layer] = change
        return changes

    def _places(self, aim: Aim, track: _Track) -> dict[str, float]:
        """What each source may spend: half where it began, half where the task has taken it."""
        place = {n: math.sqrt(track.first_share[n] * track.share[n]) for n in aim.sources}
        whole = sum(place.values())
        return {n: track.target * each / whole for n, each in place.items()}

    def _by_rate(self, layer: str, rate: float, revives: bool) -> float:
        """For a layer without a limit: it must not fall silent because other layers were scaled down."""
        s, gain = self._settings, self._gain(layer)
        gain.rate = s.decay * gain.rate + (1 - s.decay) * rate if gain.peak else rate
        gain.peak = max(0.995 * gain.peak, gain.rate)
        if revives and gain.rate < s.revive * gain.peak:
            return s.speed * s.clip
        if gain.log > 0 and gain.rate > 2 * s.revive * gain.peak:
            return -min(s.speed * s.clip / 4, gain.log)
        return 0.0

    def _by_floor(
        self, aim: Aim, track: _Track, limits: Mapping[str, Aim], wanted: dict[str, float]
    ) -> None:
        short = math.log(aim.bound / max(track.average, 1e-6))
        for layer in aim.sources:
            rooms = [
                -self._error(each, self._tracks[name], self._tracks[name].average)
                for name, each in limits.items()
                if layer in each.sources
            ]
            room = min(rooms, default=math.inf)
            if short > 0 and room > 0:
                raised = self._settings.speed * min(self._heeded(short), room)
                wanted[layer] = max(wanted.get(layer, 0.0), raised)
            elif short > -0.02:
                wanted[layer] = min(wanted.get(layer, 0.0), 0.0)

    # ---- targets

    def _move_target(self, aim: Aim, track: _Track) -> None:
        way = math.log(track.first / aim.bound) if aim.upper and track.first > aim.bound else 0.0
        if self._horizon:
            left = way * (1 - min(self.steps / self._horizon, 1.0))
        else:
            now = max(math.log(track.target / aim.bound), 0.0)
            left = max(now - self._tighten * min((now + 0.25) / 0.75, 1.0), 0.0) if way else 0.0
        track.target, track.arrived = aim.bound * math.exp(left), left == 0

    # ---- pieces

    def _track(self, name: str, aim: Aim, value: float) -> _Track:
        if name not in self._tracks:
            begin = max(value, aim.bound) if aim.upper and self._tighten < 1 else aim.bound
            self._tracks[name] = _Track(begin, average=value, slow=value, target=begin, near=False)
        return self._tracks[name]

    def _gain(self, layer: str) -> Gain:
        return self._gains.setdefault(layer, Gain())

    def _averaged(self, track: _Track, now: float) -> float:
        return self._settings.decay * track.average + (1 - self._settings.decay) * now

    def _error(self, aim: Aim, track: _Track, value: float) -> float:
        error = math.log(max(value, _TINY) / track.target)
        return error if aim.upper else -error

    def _ahead(self, aim: Aim, track: _Track, average: float) -> float:
        """The error where the average is heading: its own, and what it has moved of late."""
        moved = math.log(max(average, _TINY) / max(track.slow, _TINY))
        ahead = self._settings.lead * (moved if aim.upper else -moved)
        return self._error(aim, track, average) + _clip(
            ahead, -self._settings.width, self._settings.width
        )

    def _unit(self, error: float) -> float:
        return _clip(error / self._settings.width, -1.0, 1.0)

    def _heeded(self, error: float) -> float:
        return _clip(error, -self._settings.clip, self._settings.clip)

    def _most(self, aim: Aim) -> float:
        return self._settings.most if aim.upper else self._settings.most / 2  # limits win

    # ---- what others read

    def average(self, name: str) -> float | None:
        """The moving average of what a constraint measures; None before the first step."""
        return self._tracks[name].average if name in self._tracks and self.steps else None

    def pulled(self) -> set[str]:
        """The constraints that have pulled at any time."""
        return {name for name, track in self._tracks.items() if track.pulled}

    def is_down(self, name: str) -> bool:
        """Whether a constraint's target has come down to its bound."""
        return name in self._tracks and self._tracks[name].arrived

    def full_steps(self, name: str) -> int:
        """For how many steps in a row the pull has been at its end with the constraint still broken."""
        return self._tracks[name].full if name in self._tracks else 0

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, for an exact resume."""
        return {
            "steps": self.steps,
            "largest": self.largest,
            "tracks": {name: asdict(track) for name, track in self._tracks.items()},
            "gains": {name: asdict(gain) for name, gain in self._gains.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.steps, self.largest = state["steps"], state["largest"]
        self._tracks = {name: _Track(**track) for name, track in state["tracks"].items()}
        self._gains = {name: Gain(**gain) for name, gain in state["gains"].items()}


def _clip(x: float, low: float, high: float) -> float:
    return max(low, min(x, high))
