"""Training to a budget: configuration, loop, checkpoints and the record of a run."""

from picojoule.training.checkpoint import load_checkpoint, save_checkpoint
from picojoule.training.config import TrainConfig
from picojoule.training.history import Fit, History, Progress
from picojoule.training.lenet import lenet
from picojoule.training.measure import Measurement
from picojoule.training.recurrent_net import recurrent_net
from picojoule.training.run import Run, train

__all__ = [
    "Fit",
    "History",
    "Measurement",
    "Progress",
    "Run",
    "TrainConfig",
    "lenet",
    "load_checkpoint",
    "recurrent_net",
    "save_checkpoint",
    "train",
]
