"""Batch normalisation of a network that was trained with other time steps than it is measured with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from picojoule.layers import reset_states
from picojoule.layers.evaluating import evaluating
from picojoule.training.loop.evaluation import batches_of
from picojoule.training.loop.trainer import Trainer
from picojoule.training.loop.trimming import CALIBRATION, spread
from picojoule.training.samples.batches import loaded
from picojoule.training.samples.run_data import set_epoch

_Norm = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def recalibrate(trainer: Trainer) -> None:
    """Take means and variances anew, on some of the training samples with the usual time steps.

    Those of training are of all numbers of steps: the same spikes over twice the steps are half as many a step.
    Without stages of their own steps, or without batch normalisation, nothing happens.
    """
    norms = [m for m in trainer.model.modules() if isinstance(m, _Norm) and m.track_running_stats]
    if not trainer.mixed.stages.found or not norms:
        return
    set_epoch(trainer.data.train, 0)
    samples = spread(trainer.data.train_indices, CALIBRATION)
    before = [norm.momentum for norm in norms]
    with evaluating(trainer.model), trainer.monitor.paused():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum, norm.training = None, True  # None: a mean over all batches
        for frames, _ in _batches(trainer, samples):
            trainer.answers.output(trainer.fabric.to_device(frames))
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum, norm.training = momentum, False
    reset_states(trainer.model)


def _batches(trainer: Trainer, samples: torch.Tensor) -> Any:
    mine = batches_of(trainer, samples)
    return loaded(trainer.data.train, mine, trainer.data.stacked, trainer.config.workers)
