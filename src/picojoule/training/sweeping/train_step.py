"""One run of a sweep as a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from picojoule.training.config import TrainConfig
from picojoule.training.loop import Progress
from picojoule.training.measure import Measurement
from picojoule.training.run import train
from picojoule.training.sweeping.config import Unit
from picojoule.training.sweeping.outcome import Outcome, limit_of


def limits(budget: float, unit: Unit, unconstrained: Outcome) -> dict[str, Any]:
    """A budget as settings of a :class:`picojoule.training.TrainConfig`.

    A share is of what training can change, so what it cannot change is added to the limit of the whole network.

    Args:
        budget: in `unit`.
        unit: the sweep's.
        unconstrained: the network of the same seed without a budget.

    Raises:
        ValueError: what no training changes already spends all of it.

    Example:
        >>> limits(0.5, "share", Outcome(0.9, 500.0, 300.0, 0.0, num_timesteps=10))
        {'per': 'model', 'synops_per_timestep': 350.0}
    """
    limit = limit_of(budget, unit, unconstrained)
    if unit == "share":
        return {
            "per": "model",
            "synops_per_timestep": limit + unconstrained.fixed_synops_per_timestep,
        }
    return {"per": "model", unit: limit}


def train_step(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    """Train a network to its budget, or go on with the run in the folder, or read the result of a finished one."""
    trained = train(config, folder, progress, compare=False, resume=True).budget.trained
    return Outcome(
        accuracy=trained.accuracy,
        synops_per_timestep=trained.total_synops_per_timestep,
        changeable_synops_per_timestep=trained.synops_of(trained.trainable),
        silent_share=silent_share(trained),
        num_timesteps=config.num_timesteps,
        energy_j=None,
    )


def silent_share(measured: Measurement) -> float:
    """Share of all spiking neurons, over all layers, that never fire."""
    silent = sum(int((rates == 0).sum()) for rates in measured.rates.values())
    return silent / max(1, sum(rates.numel() for rates in measured.rates.values()))
