"""One run of a sweep as a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from picojoule.synops import silent_share
from picojoule.training.files.run_folder import CONFIG
from picojoule.training.record.history import Fit, Progress
from picojoule.training.record.measure import Measurement
from picojoule.training.run import train
from picojoule.training.settings.config import TrainConfig
from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.outcome import Outcome, limit_of


def limits(budget: float, config: SweepConfig, unconstrained: Outcome) -> dict[str, Any]:
    """A budget as settings of a :class:`picojoule.training.TrainConfig`.

    Args:
        budget: in the sweep's unit.
        config: the sweep.
        unconstrained: the network of the same seed without a budget.

    Raises:
        ValueError: no training can meet it.

    Example:
        >>> outcome = Outcome(0.9, {"1": 200.0, "4": 300.0}, ("4",), 0.0, num_timesteps=10)
        >>> limits(0.5, SweepConfig(budgets=(0.5,)), outcome)
        {'synops_per_timestep': {'trainable': 150.0}, 'groups': {'trainable': ['4']}}
    """
    limit = limit_of(budget, config.unit, unconstrained)
    if config.unit != "share":
        return {config.unit: limit, "per": "model", "groups": None}
    groups = {**(config.training.groups or {}), "trainable": list(unconstrained.trainable)}
    return {"synops_per_timestep": {"trainable": limit}, "groups": groups}


def one_run(config: TrainConfig, folder: Path, progress: Progress) -> Outcome:
    """Train a network to its budget, or go on with the run in the folder, or read the result of a finished one."""
    begun = (folder / CONFIG).exists()
    fit = train(config, folder, progress, compare=False, resume=begun).budget
    trained = fit.trained
    return Outcome(
        accuracy=trained.accuracy,
        synops_per_timestep=dict(trained.synops_per_timestep),
        trainable=tuple(trained.trainable),
        silent_share=_silent_share(trained),
        num_timesteps=trained.num_timesteps,
        energy_j=trained.energy_j,
        fixed_energy_j=trained.fixed_energy_j,
        score_name=trained.score_name,
        faults=tuple(fit.faults.values()),
        steps=len(fit.history.loss),
        broken=(*map(str, trained.broken), *_without_exit(fit)),
        after_exit=fit.exits.tested if fit.exits else None,
    )


def _without_exit(fit: Fit) -> list[str]:
    """Why no early exit keeps its budget, if one was asked for."""
    return [fit.exits.why] if fit.exits and fit.exits.tested is None else []


def _silent_share(measured: Measurement) -> float:
    """Share of all spiking neurons, over all layers, that never fire."""
    rates = [layer.flatten() for layer in measured.rates.values()]
    return silent_share(torch.cat(rates)) if rates else 0.0
