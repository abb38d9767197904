"""Sweeps over budgets: the accuracy-energy frontier, on Optuna."""

from picojoule.training.sweeping.config import LIMITS, SweepConfig, SweepStep, Unit
from picojoule.training.sweeping.frontier import Frontier, FrontierPoint, Spread, SweptModel
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.pareto import cheapest_within, pareto_front
from picojoule.training.sweeping.sweep import SweepError, sweep

__all__ = [
    "LIMITS",
    "Frontier",
    "FrontierPoint",
    "Outcome",
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
