"""Sweeps over budgets: the accuracy-energy frontier, on Optuna."""

from picojoule.training.sweeping.config import SweepConfig, SweepStep, Unit
from picojoule.training.sweeping.frontier import Frontier, FrontierPoint, Spread, SweptModel
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.pareto import cheapest_within, pareto_front
from picojoule.training.sweeping.progress import Silence
from picojoule.training.sweeping.sweep import SweepError, sweep

__all__ = [
    "Frontier",
    "FrontierPoint",
    "Outcome",
    "Silence",
    "Spread",
    "SweepConfig",
    "SweepError",
    "SweepStep",
    "SweptModel",
    "Unit",
    "cheapest_within",
    "pareto_front",
    "sweep",
]
