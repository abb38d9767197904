"""A network on a whole data set, each process on its part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.layers import reset_states
from picojoule.synops.monitor import CountingMonitor
from picojoule.training.batches import loaded, share_of
from picojoule.training.classifier import check_labels, hits
from picojoule.training.history import Progress
from picojoule.training.measure import Measurement, measurement
from picojoule.training.processes import process_of
from picojoule.training.trainer import Trainer
from picojoule.training.vitals import added_up, over_processes

_MORE_THAN_IN_TRAINING = 4  # samples in a batch: nothing is kept for gradients


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
    each = max(1, config.batch_size // (fabric.world_size * config.accumulate))
    mine = share_of(samples, process_of(fabric), _MORE_THAN_IN_TRAINING * each)
    progress.start(what, len(mine), 0)
    right = torch.zeros((), dtype=torch.int64, device=fabric.device)
    answered, labelled = [], []
    trainer.monitor.detach()
    with evaluating(trainer.model), CountingMonitor(trainer.model, accumulate=True) as monitor:
        for frames, labels in loaded(dataset, mine, config.workers):
            frames, labels = fabric.to_device((frames, labels))
            answers = trainer.classify(frames)
            check_labels(labels, answers.shape[1])
            right += hits(answers, labels)
            answered.append(answers.argmax(1).bincount(minlength=answers.shape[1]))
            labelled.append(labels.bincount(minlength=answers.shape[1]))
            progress.advance("")
    reset_states(trainer.model)
    trainer.monitor.attach()
    accuracy = float(fabric.all_reduce(right, reduce_op="sum")) / len(samples)
    broken = trainer.budget.violations(monitor) if trainer.budget else ()
    summed = over_processes(fabric)
    return measurement(
        monitor,
        accuracy,
        trainer.trainable,
        broken,
        profile=config.profile,
        answered=added_up(summed, answered),
        labelled=added_up(summed, labelled),
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode, and afterwards as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
