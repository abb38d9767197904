"""A budget in training, by terms in the loss whose multipliers find their own weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from picojoule.budget.constraints import Constraint, Reading, mean
from picojoule.budget.contest import Contest, given_up, lost
from picojoule.budget.multipliers import (
    Controller,
    Multiplier,
    check_same,
    multiplier_of,
)
from picojoule.budget.reach import Reach
from picojoule.budget.schedule import Schedule
from picojoule.synops.counting_monitor import CountingMonitor


class PenalisedTraining:
    """Keeps constraints through a penalty for each.

    Args:
        monitor: attached to the model.
        reach: what training can change of each constraint.
        margin: share of each bound to keep free.
        controller: how multipliers move.
        schedule: how limits come down.
    """

    def __init__(
        self,
        monitor: CountingMonitor,
        reach: Reach,
        *,
        margin: float,
        controller: Controller,
        schedule: Schedule,
    ) -> None:
        self._monitor, self._reach, self._margin = monitor, reach, margin
        self._controller, self._schedule = controller, schedule
        self._active: dict[str, Multiplier] | None = None
        self._pending: dict[str, list[Reading]] = {}
        self._readings: dict[str, Reading] = {}  # of this pass, from `begin` to `terms`
        self._saved: dict[str, Any] | None = None
        self._given_up: dict[str, str] = {}  # floors that were let go against a limit, and why
        self.not_reached: dict[str, str] = {}  # these, and what is not kept together with a limit

    @property
    def has_begun(self) -> bool:
        """Whether there are multipliers."""
        return self._active is not None

    @property
    def has_batch(self) -> bool:
        """Whether there was a penalty with gradients since the last step, or nothing needs one."""
        return self._active is not None and not (self._active and not self._pending)

    @property
    def multipliers(self) -> dict[str, Multiplier]:
        """By the constraint's name; none before the first penalty."""
        return {} if self._active is None else self._active

    # ---- a step of training

    def begin(
        self, constraints: Mapping[str, Constraint], infeasible: Mapping[str, str], *, known: bool
    ) -> dict[str, Multiplier]:
        """The multipliers, each made at the first call in which training can change what it is to hold.

        Args:
            constraints: by name.
            infeasible: of them.
            known: whether a pass with gradients has told what training can change; else those of this call are not kept.
        """
        self._readings = {}
        sees = known and torch.is_grad_enabled()
        if self._active is not None and not sees:
            return self._active
        readings = {name: each.read(self._monitor) for name, each in constraints.items()}
        if not sees:
            return {
                name: self._multiplier(constraints[name], infeasible, each.value)
                for name, each in readings.items()
            }
        if self._saved is not None:
            trained = [name for name, each in readings.items() if each.value.requires_grad]
            self._restore(constraints, infeasible, trained)
        self._active = self._active or {}
        self._readings = readings
        self._take_in(readings, constraints, infeasible)
        return self._active

    def _take_in(
        self,
        readings: Mapping[str, Reading],
        constraints: Mapping[str, Constraint],
        infeasible: Mapping[str, str],
    ) -> None:
        """Follow layers that were frozen, or are trained again."""
        active, floors = self.multipliers, dict(self._reach.floors)
        changed = self._reach.notice(constraints, readings, self._monitor)
        for name, (value, fixed, _) in readings.items():
            before = active.get(name)
            other = name in changed and self._reach.floors.get(name) != floors.get(name)
            if other if before else value.requires_grad:
                steered = self._reach.steered(name, value, fixed)
                active[name] = self._multiplier(constraints[name], infeasible, steered)
                if before:
                    active[name].go_on_from(before)

    def terms(
        self, constraints: Mapping[str, Constraint], multipliers: Mapping[str, Multiplier]
    ) -> dict[str, Tensor]:
        """The penalty of each constraint, from the monitor's last pass."""
        terms = {}
        known, self._readings = self._readings, {}  # which would keep the graph
        for name, constraint in constraints.items():
            value, fixed, layers = known.get(name) or constraint.read(self._monitor)
            self._reach.check_shape(name, value)
            if name in multipliers:
                terms[name] = multipliers[name].penalty(self._reach.steered(name, value, fixed))
            if torch.is_grad_enabled():
                reading = Reading(value.detach(), fixed.detach(), layers)
                self._pending.setdefault(name, []).append(reading)
        return terms

    def step(self, constraints: Mapping[str, Constraint], infeasible: Mapping[str, str]) -> None:
        """Move the multipliers."""
        batch = {name: mean(readings) for name, readings in self._pending.items()}
        self._pending.clear()
        active = self.multipliers
        for name, reading in batch.items():
            if name in active:
                active[name].update(self._reach.steered(name, reading.value, reading.fixed))
            self._reach.see(name, reading)
        changed = self._reach.judge(constraints, self._monitor)
        for name in active.keys() & changed:
            before, reading = active[name], batch[name]
            steered = self._reach.steered(name, reading.value, reading.fixed)
            active[name] = self._multiplier(constraints[name], infeasible, steered)
            active[name].go_on_from(before)
        for name, multiplier in active.items():
            multiplier.bound = self._reach.aim(constraints[name], self._margin)

    def see_contests(self, constraints: Mapping[str, Constraint], contest: Contest) -> set[str]:
        """Take in a step, and give up what a limit stands against to the last.

        Returns:
            The names of what was given up now.
        """
        active = self.multipliers
        steered = {name: each for name, each in active.items() if name not in self._reach.floors}
        averages = {name: each.average for name, each in steered.items()}
        down = {name for name, each in steered.items() if each.is_down}
        apart = contest.see(constraints, averages, down)
        before = {name: why for name, why in self._given_up.items() if active[name].is_hopeless}
        now = lost(constraints, active)
        for name in now:
            active[name].give_up()
        self._given_up = before | now
        self.not_reached = apart | self._given_up
        return set(now)

    def average(self, name: str) -> Tensor | None:
        """The moving average of what a constraint measures; None before the first step."""
        multiplier = self.multipliers.get(name)
        if multiplier is None or not multiplier.steps:
            return None
        return self._reach.whole(name, multiplier.average)

    def _multiplier(
        self, constraint: Constraint, infeasible: Mapping[str, str], first: Tensor
    ) -> Multiplier:
        aim, hopeless = self._reach.aim(constraint, self._margin), constraint.name in infeasible
        return multiplier_of(constraint, aim, self._controller, self._schedule, hopeless, first)

    # ---- resuming

    def state_dict(self) -> dict[str, Any]:
        """For an exact resume."""
        if self._active is None:
            return dict(self._saved or {})
        return {
            name: (self._active[name].state_dict() if name in self._active else {})
            | self._reach.state_of(name)
            for name in self._reach.names
        }

    def load_state_dict(
        self,
        state: Mapping[str, Any],
        constraints: Mapping[str, Constraint],
        infeasible: Mapping[str, str],
    ) -> None:
        """Take over what `state_dict` gave, now or when multipliers are made.

        Raises:
            ValueError: it is of other constraints.
        """
        strange = [name for name, each in state.items() if not _is_state(each)]
        if strange:
            raise ValueError(
                f"Budget.load_state_dict: {strange[0]!r} is no constraint's state; expected what Budget.state_dict() gave. Of a "
                'checkpoint, pass the entry that has it, such as saved["budget"].'
            )
        self._saved = dict(state) or None
        if self._active is not None:
            self._restore(constraints, infeasible, list(self._active))

    def _restore(
        self,
        constraints: Mapping[str, Constraint],
        infeasible: Mapping[str, str],
        trained: Iterable[str],
    ) -> None:
        """Take over the saved state; an older one has those alone that are trained."""
        saved = self._saved or {}
        check_same(constraints if len(saved) == len(constraints) else trained, saved)
        active = dict[str, Multiplier]()
        for name, each in saved.items():
            self._reach.load_state_of(name, each)
            if "average" in each:
                active[name] = self._multiplier(constraints[name], infeasible, each["average"])
                active[name].load_state_dict(each)
        self._active = active
        found = given_up(constraints, active)
        self._given_up = {name: why for name, why in found.items() if name not in infeasible}
        self.not_reached = dict(self._given_up)
        self._saved = None


def _is_state(saved: Any) -> bool:
    return isinstance(saved, Mapping) and "given" in saved
