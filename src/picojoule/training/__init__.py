"""Training to a budget: configuration, loop, checkpoints and the record of a run."""

from picojoule.training.config_error import ConfigError
from picojoule.training.files.checkpoint import load_checkpoint, save_checkpoint
from picojoule.training.loading import LoadedRun, load
from picojoule.training.networks.lenet import lenet
from picojoule.training.networks.recurrent_net import recurrent_net
from picojoule.training.optimization.optimizers import build_optimizer
from picojoule.training.record.history import Fit, History, Progress, Quiet
from picojoule.training.record.measure import Measurement
from picojoule.training.run import Run, train
from picojoule.training.settings.config import TrainConfig
from picojoule.training.sweeping import (
    Cost,
    Frontier,
    FrontierPoint,
    Outcome,
    Spread,
    SweepConfig,
    SweepError,
    SweepRun,
    SweptModel,
    cheapest_within,
    hypervolume,
    pareto_front,
    sweep,
)
from picojoule.training.tasks.task import Task

__all__ = [
    "ConfigError",
    "Cost",
    "Fit",
    "Frontier",
    "FrontierPoint",
    "History",
    "LoadedRun",
    "Measurement",
    "Outcome",
    "Progress",
    "Quiet",
    "Run",
    "Spread",
    "SweepConfig",
    "SweepError",
    "SweepRun",
    "SweptModel",
    "Task",
    "TrainConfig",
    "build_optimizer",
    "cheapest_within",
    "hypervolume",
    "lenet",
    "load",
    "load_checkpoint",
    "pareto_front",
    "recurrent_net",
    "save_checkpoint",
    "sweep",
    "train",
]
