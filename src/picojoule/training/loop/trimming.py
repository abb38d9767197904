"""After training: weights scaled until what is spent is just inside each limit."""

from __future__ import annotations

import torch
from torch import Tensor

from picojoule.layers.evaluating import evaluating
from picojoule.training.loop.evaluation import batches_of
from picojoule.training.loop.trainer import Trainer
from picojoule.training.record.history import Progress
from picojoule.training.samples.batches import loaded
from picojoule.training.samples.run_data import set_epoch

CALIBRATION = 2000  # training samples that it measures on, at most
_PASSES = 12  # over these samples, about as many as a trim takes


def trim(trainer: Trainer, progress: Progress) -> None:
    """Trim a trained network to its limits, on some of the training samples.

    Args:
        trainer: whose network; without a limit nothing happens.
        progress: told about each pass over them.
    """
    if trainer.budget is None or not (trainer.config.has_limit and trainer.config.trim):
        return
    set_epoch(trainer.data.train, 0)
    mine = batches_of(trainer, spread(trainer.data.train_indices, CALIBRATION))
    frames = [
        frames
        for frames, _ in loaded(
            trainer.data.train, mine, trainer.data.stacked, trainer.config.workers
        )
    ]
    progress.start("trimming to the limits", _PASSES * len(frames), 0)

    def forward() -> None:
        for batch in frames:
            trainer.answers(trainer.fabric.to_device(batch))
            progress.advance("")

    with evaluating(trainer.model):
        trainer.budget.trim(forward)


def spread(samples: Tensor, most: int) -> Tensor:
    """At most so many of some samples, evenly over all: data may be in the order of their classes.

    Example:
        >>> spread(torch.arange(10), 4)
        tensor([0, 2, 5, 7])
    """
    count = min(most, len(samples))
    return samples[torch.arange(count) * len(samples) // max(count, 1)]
