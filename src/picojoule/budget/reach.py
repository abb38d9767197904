"""What training cannot meet because too much is given, and how far the trained rest is then driven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from picojoule.budget.constraints import Constraint, Reading
from picojoule.synops.counting_monitor import CountingMonitor

LEAST_ACTIVITY = 0.02  # spikes per synapse and step, of layers that a limit leaves nothing
_NOISE = 0.01  # share of the bound that is left before a limit counts as back in reach
# share of the bound that the trained part is steered to, where what is given leaves less
_LEAST_ROOM = 1e-4
_SURE = 0.75  # standard deviations of the average, above the bound, from which on it counts as out of reach


class Reach:
    """Which constraints the given part alone breaks, batch by batch.

    The given part carries no gradient: the SynOps of a layer whose input is data, MACs, neuron updates. A limit that it
    exceeds by itself still holds down the rest, to a floor of 2 spikes per 100 synapses and step, since less than
    nothing is left. Data change, so a limit may come into reach and leave it.

    Args:
        decay: of the moving average of the given part.

    Example:
        >>> from picojoule.budget import SynopsLimit
        >>> reach = Reach(decay=0.5)
        >>> reach.see("limit", Reading(torch.tensor(9.0), torch.tensor(7.0), ("0",)))
        >>> reach.steered("limit", torch.tensor(9.0), torch.tensor(7.0))  # in reach: all of it
        tensor(9.)
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._given: dict[str, Tensor] = {}
        self._variance: dict[str, Tensor] = {}  # of the batches around the average
        self._places: dict[str, tuple[str, ...]] = {}
        self.floors: dict[str, float] = {}  # of limits out of reach with a trained part
        self.out: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The constraints of which something was seen."""
        return tuple(self._given)

    def check_shape(self, name: str, value: Tensor) -> None:
        """Raise ValueError if what is bounded has not as many parts as before."""
        known = self._given.get(name, value)
        if known.shape != value.shape:
            raise ValueError(
                f"Budget: {name} has shape {tuple(value.shape)} now and had {tuple(known.shape)} before, or in the saved "
                "state; each part is kept by itself. Use a state and inputs of one size, or rate_of='layer'."
            )

    def notice(
        self,
        constraints: Mapping[str, Constraint],
        readings: Mapping[str, Reading],
        monitor: CountingMonitor,
    ) -> set[str]:
        """Begin anew where a constraint is new, or other layers are given than before: some were frozen, or are trained again.

        Returns:
            The names of these constraints.
        """
        for name, reading in readings.items():
            self.check_shape(name, reading.value)
        found = {n for n, each in readings.items() if self._places.get(n) != each.fixed_layers}
        for name in found:
            self._given.pop(name, None)
            self._variance.pop(name, None)
            self._set(name, False, 0.0)
            self.see(name, readings[name])
        self._judge(found, constraints, monitor)
        return found

    def see(self, name: str, reading: Reading) -> None:
        """Take in what a constraint measured."""
        self.check_shape(name, reading.fixed)
        now, decay = reading.fixed.detach(), self._decay
        before = self._given.get(name, now)
        self._given[name] = decay * before + (1 - decay) * now
        spread = self._variance.get(name, torch.zeros_like(now))
        self._variance[name] = decay * (spread + (1 - decay) * (now - before) ** 2)
        self._places[name] = reading.fixed_layers

    def steered(self, name: str, value: Tensor, fixed: Tensor) -> Tensor:
        """What the multiplier is to steer: the value, or what training can change of it."""
        return value - fixed if name in self.floors else value

    def aim(self, constraint: Constraint, margin: float) -> float:
        """Where the multiplier steers to: a margin inside the bound, but no more than half of what is left."""
        name, bound = constraint.name, constraint.bound
        if name in self.floors:
            return self.floors[name] * (1 - margin)
        if not constraint.spends or name in self.out or name not in self._given:
            return bound * (1 - margin if constraint.upper else 1 + margin)
        return max(bound * (1 - margin), (bound + self._given[name].item()) / 2)

    def given(self, name: str) -> float:
        """What of a constraint training cannot change, averaged."""
        return self._given[name].max().item() if name in self._given else 0.0

    def room(self, constraint: Constraint, margin: float) -> float:
        """Where what training can change of a constraint is steered to."""
        aim = self.aim(constraint, margin)
        if constraint.name in self.floors or not constraint.spends:
            return aim
        return max(aim - self._given[constraint.name].item(), _LEAST_ROOM * constraint.bound)

    def whole(self, name: str, average: Tensor) -> Tensor:
        """The whole value, from the average of what is steered."""
        return average + self._given[name] if name in self.floors else average

    def judge(
        self, constraints: Mapping[str, Constraint], monitor: CountingMonitor
    ) -> tuple[str, ...]:
        """Names of the constraints that came into reach or left it. Waits for the device."""
        return self._judge(self._given, constraints, monitor)

    def _judge(
        self,
        names: Iterable[str],
        constraints: Mapping[str, Constraint],
        monitor: CountingMonitor,
    ) -> tuple[str, ...]:
        changed = []
        for name in names:
            constraint, given = constraints[name], self._given[name]
            if not constraint.upper and not self._places[name]:
                continue  # of a floor the trained part may add to what is given
            noise = _NOISE * constraint.bound if name in self.out else -_SURE * self._error(name)
            out = _breaks(constraint, given + noise if constraint.upper else given - noise)
            if out == (name in self.out):
                continue
            changed.append(name)
            floor = self._floor(constraint, monitor) if out else 0.0
            self._set(name, out, floor)
        return tuple(changed)

    def _error(self, name: str) -> Tensor:
        """Standard deviation of the average of what is given."""
        return (self._variance[name] * (1 - self._decay) / (1 + self._decay)).sqrt()

    def _set(self, name: str, out: bool, floor: float) -> None:
        self.out.discard(name)
        self.floors.pop(name, None)
        if out:
            self.out.add(name)
        if floor:
            self.floors[name] = floor

    def _floor(self, limit: Constraint, monitor: CountingMonitor) -> float:
        """What the trained layers spend at the least activity, in the unit of the bound; 0 if there are none."""
        given, dense = self._places[limit.name], monitor.dense
        trained = (
            dense[name].detach() for name in limit.counted_layers or dense if name not in given
        )
        synops = LEAST_ACTIVITY * sum(trained, start=torch.zeros(()))
        return float(synops) * limit.factor(monitor.synops.num_timesteps)

    def reason(self, constraint: Constraint) -> str:
        """Why a constraint is out of reach, and what is done about it."""
        name, floor = constraint.name, self.floors.get(constraint.name)
        places = [*map(repr, self._places.get(name, ())), *constraint.given]
        given = self._given[name]
        worst = (given.max() if constraint.upper else given.min()).item()
        rest = (
            f"The rest is driven down to {floor:.4g}, {LEAST_ACTIVITY:g} spikes per synapse and step, so that the least is "
            f"{worst + floor:.4g} in all."
            if floor
            else "Nothing can pull at it."
        )
        return (
            f"{name} = {constraint.bound:g} cannot be reached by training: {worst:.4g} come from {', '.join(places)}, "
            f"where nothing that is trained takes part. {rest}"
        )

    # ---- resuming

    def state_of(self, name: str) -> dict[str, object]:
        """What an exact resume needs of a constraint."""
        return {
            "given": self._given[name],
            "variance": self._variance[name],
            "out": name in self.out,
            "floor": self.floors.get(name, 0.0),
            "places": list(self._places[name]) if name in self._places else None,
        }

    def load_state_of(self, name: str, state: Mapping[str, Any]) -> None:
        """Take over what `state_of` gave."""
        self._given[name] = state["given"].clone()
        self._variance[name] = state["variance"].clone()
        self._set(name, state["out"], state["floor"])
        self._places.pop(name, None)
        if state.get("places") is not None:  # older states do not tell
            self._places[name] = tuple(state["places"])


def _breaks(constraint: Constraint, given: Tensor) -> bool:
    broken = given > constraint.bound if constraint.upper else given < constraint.bound
    return bool(broken.any())
