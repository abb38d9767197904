"""A network on a whole data set, each process on its part of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from picojoule.layers import reset_states
from picojoule.layers.evaluating import evaluating
from picojoule.synops.monitor import CountingMonitor
from picojoule.training.batches import loaded, share_of
from picojoule.training.classifier import check_labels, hits
from picojoule.training.history import Progress
from picojoule.training.measure import Measurement, measurement
from picojoule.training.processes import process_of
from picojoule.training.trainer import Trainer

_MORE_THAN_IN_TRAINING = 4


@torch.no_grad()
def measure(
    trainer: Trainer, dataset: Any, samples: Tensor, progress: Progress, what: str
) -> Measurement:
    """Accuracy, SynOps, rates and what is broken of the budget, over some samples of a data set.

    Args:
        trainer: whose network.
        dataset: `d[i] -> (frames, label)`.
        samples: indices, `n`; as many processes at most.
        progress: told about each batch.
        what: told to it.

    Raises:
        ValueError: there are fewer samples than processes, or one does not fit the model.
    """
    config, fabric = trainer.config, trainer.fabric
    mine = share_of(samples, process_of(fabric), measuring_batch_size(trainer))
    progress.start(what, len(mine), 0)
    right = torch.zeros((), dtype=torch.int64, device=fabric.device)
    trainer.monitor.detach()
    with evaluating(trainer.model), CountingMonitor(trainer.model, accumulate=True) as monitor:
        for frames, labels in loaded(dataset, mine, config.workers):
            frames, labels = fabric.to_device((frames, labels))
            answers = trainer.classify(frames)
            check_labels(labels, answers.shape[1])
            right += hits(answers, labels)
            progress.advance("")
    reset_states(trainer.model)
    trainer.monitor.attach()
    accuracy = float(fabric.all_reduce(right, reduce_op="sum")) / len(samples)
    broken = trainer.budget.violations(monitor) if trainer.budget else ()
    return measurement(monitor, accuracy, trainer.trainable, broken)


def measuring_batch_size(trainer: Trainer) -> int:
    """Samples of a batch to measure on, in each process: more than in training, since nothing is kept for gradients."""
    config = trainer.config
    each: int = config.batch_size // (trainer.fabric.world_size * config.accumulate)
    return _MORE_THAN_IN_TRAINING * max(1, each)
