"""Training to a budget: configuration, loop, checkpoints and the record of a run."""

from picojoule.training.checkpoint import load_checkpoint, save_checkpoint
from picojoule.training.config import TrainConfig
from picojoule.training.lenet import lenet
from picojoule.training.loop import Fit, History, Progress
from picojoule.training.measure import Measurement, Meter
from picojoule.training.run import Run, train

__all__ = [
    "Fit",
    "History",
    "Measurement",
    "Meter",
    "Progress",
    "Run",
    "TrainConfig",
    "lenet",
    "load_checkpoint",
    "save_checkpoint",
    "train",
]
