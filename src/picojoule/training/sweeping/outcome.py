"""What one run of a sweep came to, and what that means in the sweep's unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from picojoule.training.config import TrainConfig
from picojoule.training.loop import Progress
from picojoule.training.sweeping.config import Unit


@dataclass(frozen=True)
class Outcome:
    """A trained network on the test set.

    Attributes:
        accuracy: share of the samples that are classified right, 0 to 1.
        synops_per_timestep: of the whole network.
        changeable_synops_per_timestep: the part of it in layers that training can change.
        silent_share: share of all spiking neurons that never fire, 0 to 1.
        num_timesteps: time steps of a sample.
        energy_j: of the whole network per sample, J; None without a profile.
    """

    accuracy: float
    synops_per_timestep: float
    changeable_synops_per_timestep: float
    silent_share: float
    num_timesteps: int
    energy_j: float | None = None

    def spent(self, unit: Unit) -> float:
        """What a budget of that unit limits: SynOps per time step or sample, or joules per sample.

        Example:
            >>> Outcome(0.9, 500.0, 300.0, 0.0, num_timesteps=10).spent("synops_per_sample")
            5000.0
        """
        if unit == "share":
            return self.changeable_synops_per_timestep
        if unit == "synops_per_timestep":
            return self.synops_per_timestep
        if unit == "synops_per_sample":
            return self.synops_per_timestep * self.num_timesteps
        assert self.energy_j is not None
        return self.energy_j

    @property
    def fixed_synops_per_timestep(self) -> float:
        """The part that no training changes: it follows from the data."""
        return self.synops_per_timestep - self.changeable_synops_per_timestep

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self)


Trainer = Callable[[TrainConfig, Path, Progress], Outcome]
"""Trains one network in a folder, or goes on with the run there, or returns the result of a finished one."""


def limit_of(budget: float, unit: Unit, unconstrained: Outcome) -> float:
    """A budget as the number that :meth:`Outcome.spent` is held against.

    Args:
        budget: in `unit`.
        unit: the sweep's.
        unconstrained: the network of the same seed without a budget.

    Raises:
        ValueError: what no training changes already spends all of it.

    Example:
        >>> limit_of(0.5, "share", Outcome(0.9, 500.0, 300.0, 0.0, num_timesteps=10))
        150.0
    """
    if unit == "share":
        return budget * unconstrained.changeable_synops_per_timestep
    steps = {"synops_per_timestep": 1, "synops_per_sample": unconstrained.num_timesteps}
    if unit in steps:
        fixed = unconstrained.fixed_synops_per_timestep * steps[unit]
        if budget <= fixed:
            raise ValueError(
                f"sweep: the budget of {budget:g} {unit} cannot be met: the layers whose input is given spend "
                f"{fixed:.6g} alone, whatever is trained. Give larger budgets, or shares, which leave those layers out."
            )
    return budget
