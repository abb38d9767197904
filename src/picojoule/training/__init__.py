"""Training to a budget: configuration, loop, checkpoints and the record of a run."""

from picojoule.training.checkpoint import load_checkpoint, save_checkpoint
from picojoule.training.config import TrainConfig
from picojoule.training.lenet import lenet
from picojoule.training.loop import Fit, History, Progress
from picojoule.training.measure import Measurement, Meter
from picojoule.training.run import Run, train
from picojoule.training.sweeping import (
    Frontier,
    FrontierPoint,
    Outcome,
    Silence,
    Spread,
    SweepConfig,
    SweepError,
    SweepStep,
    SweptModel,
    cheapest_within,
    pareto_front,
    sweep,
)

__all__ = [
    "Fit",
    "Frontier",
    "FrontierPoint",
    "History",
    "Measurement",
    "Meter",
    "Outcome",
    "Progress",
    "Run",
    "Silence",
    "Spread",
    "SweepConfig",
    "SweepError",
    "SweepStep",
    "SweptModel",
    "TrainConfig",
    "cheapest_within",
    "lenet",
    "load_checkpoint",
    "pareto_front",
    "save_checkpoint",
    "sweep",
    "train",
]
