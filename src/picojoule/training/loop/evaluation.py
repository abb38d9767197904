"""A network on a whole data set, each process on its part of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from picojoule.layers import reset_states
from picojoule.layers.evaluating import evaluating
from picojoule.training.health.vitals import added_up, over_processes
from picojoule.training.loop.processes import process_of
from picojoule.training.loop.trainer import Trainer
from picojoule.training.record.history import Progress
from picojoule.training.record.measure import Measurement, measurement
from picojoule.training.samples.batches import loaded, share_of

_MORE_THAN_IN_TRAINING = 4  # times the samples of a batch, as nothing is kept for gradients


@torch.no_grad()
def measure(
    trainer: Trainer, dataset: Any, samples: Tensor, progress: Progress, what: str
) -> Measurement:
    """Accuracy or score, SynOps, rates and what is broken of the budget, over some samples of a data set.

    Args:
        trainer: whose network.
        dataset: `d[i] -> (frames, target)`.
        samples: indices, `n`; as many processes at most.
        progress: told about each batch.
        what: told to it.

    Raises:
        ValueError: there are fewer samples than processes, one does not fit the model, or the score is not finite.
    """
    config, fabric = trainer.config, trainer.fabric
    mine = batches_of(trainer, samples)
    progress.start(what, len(mine), 0)
    # a whole number, as long as scores are
    scored = torch.zeros((), dtype=torch.int64, device=fabric.device)
    monitor, told = trainer.monitor.twin(), list[tuple[Tensor, Tensor]]()
    with evaluating(trainer.model), trainer.monitor.paused(), monitor:
        for frames, targets in loaded(dataset, mine, trainer.data.stacked, config.workers):
            trainer.task.check(targets)
            frames, targets = fabric.to_device((frames, targets))
            answers = trainer.answers(frames)
            scored = scored + trainer.task.score(answers, targets)
            told += trainer.task.classes(answers, targets)
            progress.advance("")
    reset_states(trainer.model)
    score = float(fabric.all_reduce(scored, reduce_op="sum")) / len(samples)
    if not math.isfinite(score):  # in no report, and no score to choose an epoch by
        raise ValueError(
            f"{what}: its score is {score}, expected a finite number. Look at what the task measures on these samples."
        )
    broken = trainer.budget.violations(monitor) if trainer.budget else ()
    summed = over_processes(fabric)
    return measurement(
        monitor,
        score,
        trainer.trainable,
        broken,
        profile=config.profile,
        score_name=trainer.task.score_name,
        answered=added_up(summed, [answered for answered, _ in told]),
        labelled=added_up(summed, [labelled for _, labelled in told]),
    )


def batches_of(trainer: Trainer, samples: Tensor) -> list[Tensor]:
    """This process's part of some samples, in batches to measure on."""
    return share_of(samples, process_of(trainer.fabric), measuring_batch_size(trainer))


def measuring_batch_size(trainer: Trainer) -> int:
    """Samples of a batch to measure on, in each process."""
    config, process = trainer.config, process_of(trainer.fabric)
    each = config.batch_size // (process.world_size * config.accumulate)
    return _MORE_THAN_IN_TRAINING * max(1, each)
