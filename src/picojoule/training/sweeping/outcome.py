"""What one run of a sweep came to, and what that means in the sweep's unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from picojoule.budget import ExitFigures
from picojoule.training.record.history import Progress
from picojoule.training.record.measure import ACCURACY
from picojoule.training.settings.config import TrainConfig
from picojoule.training.sweeping.cost import Cost, Unit

_LISTS = ("trainable", "faults", "broken")


@dataclass(frozen=True)
class Outcome:
    """A trained network on the test set.

    Attributes:
        accuracy: share of the samples that are classified right, 0 to 1; of another task, its mean score.
        synops_per_timestep: by counted layer.
        trainable: the counted layers whose SynOps training can change.
        silent_share: share of all spiking neurons that never fire, 0 to 1.
        num_timesteps: time steps of a sample, their mean.
        energy_j: of the whole network per sample, J; None without a profile.
        fixed_energy_j: what of it training cannot change.
        score_name: "accuracy", or what another task calls its score.
        faults: what makes the network useless, whatever it spends: sentences.
        steps: of training that the run took, without those of runs that it started from; None if unknown.
        broken: what of the budget it does not keep, a sentence each.
        after_exit: the same network with early exit; None if none was asked for, or none keeps its budget.
    """

    accuracy: float
    synops_per_timestep: dict[str, float]
    trainable: tuple[str, ...]
    silent_share: float
    num_timesteps: float
    energy_j: float | None = None
    fixed_energy_j: float | None = None
    score_name: str = ACCURACY
    faults: tuple[str, ...] = ()
    steps: int | None = None
    broken: tuple[str, ...] = ()
    after_exit: ExitFigures | None = None

    def spent(self, unit: Unit) -> float:
        """What a budget of that unit limits: SynOps per time step or sample, or joules per sample.

        Example:
            >>> outcome = Outcome(0.9, {"1": 200.0, "4": 300.0}, ("4",), 0.0, num_timesteps=10)
            >>> outcome.spent("share"), outcome.spent("synops_per_sample")
            (300.0, 5000.0)
        """
        return Cost.of_unit(unit).of(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self) | {name: list(getattr(self, name)) for name in _LISTS}

    @classmethod
    def from_dict(cls, figures: Mapping[str, Any]) -> Outcome:
        """What :meth:`to_dict` gave."""
        lists = {name: tuple(figures.get(name, ())) for name in _LISTS}
        exits = figures.get("after_exit")
        return cls(
            **{**figures, **lists, "after_exit": None if exits is None else ExitFigures(**exits)}
        )


OneRun = Callable[[TrainConfig, Path, Progress], Outcome]
"""Trains one network in a folder, or goes on with the run there, or returns the result of a finished one."""


def limit_of(budget: float, unit: Unit, unconstrained: Outcome) -> float:
    """A budget as the number that :meth:`Outcome.spent` is held against.

    Args:
        budget: in `unit`.
        unit: the sweep's.
        unconstrained: the network of the same seed without a budget.

    Raises:
        ValueError: training can change nothing, or what it cannot change already spends all of the budget.

    Example:
        >>> limit_of(0.5, "share", Outcome(0.9, {"1": 200.0, "4": 300.0}, ("4",), 0.0, num_timesteps=10))
        150.0
    """
    changeable = unconstrained.spent("share")
    if unit == "share":
        if not changeable > 0:
            raise ValueError(
                "sweep: a share of nothing: the unconstrained network spends no SynOps in layers that training can "
                "change. Train it longer, or give budgets in another unit."
            )
        return budget * changeable
    steps = unconstrained.num_timesteps if unit == "synops_per_sample" else 1
    fixed, what = unconstrained.spent(unit) - steps * changeable, "the layers whose input is given"
    if unit == "energy_j":
        fixed, what = unconstrained.fixed_energy_j or 0.0, "given inputs and updates of neurons"
    if budget <= fixed:
        raise ValueError(
            f"sweep: the budget of {budget:g} {unit} cannot be met: {what} spend {fixed:.6g} alone, whatever is "
            "trained. Give larger budgets, or shares, which leave those layers out."
        )
    return budget


def out_of_reach(budgets: Iterable[float], unit: Unit, unconstrained: Outcome) -> list[str]:
    """Why no training can meet some of the budgets, a sentence for each that it cannot.

    Example:
        >>> silent = Outcome(0.9, {"1": 200.0, "4": 300.0}, ("4",), 0.0, num_timesteps=10)
        >>> [sentence[:44] for sentence in out_of_reach((100.0, 300.0), "synops_per_timestep", silent)]
        ['sweep: the budget of 100 synops_per_timestep']
    """
    sentences = []
    for budget in budgets:
        try:
            limit_of(budget, unit, unconstrained)
        except ValueError as error:
            sentences.append(str(error))
    return sentences
