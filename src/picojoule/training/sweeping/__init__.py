"""Sweeps over budgets and other settings: the accuracy-energy frontier, on Optuna."""

from picojoule.training.sweeping.config import SweepConfig
from picojoule.training.sweeping.cost import Cost, Unit
from picojoule.training.sweeping.frontier import Frontier
from picojoule.training.sweeping.outcome import Outcome
from picojoule.training.sweeping.pareto import cheapest_within, hypervolume, pareto_front
from picojoule.training.sweeping.points import FrontierPoint, Spread, SweptModel
from picojoule.training.sweeping.sweep import SweepError, sweep
from picojoule.training.sweeping.sweep_run import SweepRun

__all__ = [
    "Cost",
    "Frontier",
    "FrontierPoint",
    "Outcome",
    "Spread",
    "SweepConfig",
    "SweepError",
    "SweepRun",
    "SweptModel",
    "Unit",
    "cheapest_within",
    "hypervolume",
    "pareto_front",
    "sweep",
]
