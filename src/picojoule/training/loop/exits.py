"""Early exit of a trained network: its threshold is set on other samples than those of the test set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from picojoule.budget import EarlyExit, ExitFigures
from picojoule.training.loop.evaluation import batches_of, measuring_batch_size
from picojoule.training.loop.trainer import Trainer
from picojoule.training.record.exit_measurement import ExitMeasurement
from picojoule.training.record.history import Progress
from picojoule.training.samples.batches import loaded
from picojoule.training.samples.run_data import set_epoch


def measure_exits(
    trainer: Trainer, synops_per_sample: float, progress: Progress
) -> ExitMeasurement:
    """Set the threshold for a budget, and measure on the test set what comes of it.

    Every process sets the threshold on all of the samples, and the first one's counts; of the test set each has a part.

    Args:
        trainer: whose network.
        synops_per_sample: the budget.
        progress: told about each batch.
    """
    early = trainer.early_exit()
    with trainer.monitor.paused():
        own = _calibrated(trainer, early, synops_per_sample, progress)
        found: ExitMeasurement = trainer.fabric.broadcast(own)
        if found.why:
            return found
        early.threshold, early.last_step = found.threshold, found.last_step
        return replace(found, tested=_tested(trainer, early, progress))


def _calibrated(
    trainer: Trainer, early: EarlyExit, synops_per_sample: float, progress: Progress
) -> ExitMeasurement:
    data = trainer.data
    kept = len(data.validation_indices) > 0
    samples = data.validation_indices if kept else data.train_indices
    # the samples were trained on, these spike trains of them were not
    set_epoch(data.train, 0 if kept else trainer.config.epochs)
    batches = list(torch.split(samples, measuring_batch_size(trainer)))
    progress.start("setting the threshold of early exit", len(batches), 0)
    asked = ExitMeasurement(
        synops_per_sample=synops_per_sample,
        sure=early.sure,
        potential_of=trainer.answers.potential_of,
        threshold=None,
        last_step=None,
        set_on="validation" if kept else "training",
        samples=len(samples),
    )
    seen = _loaded(trainer, data.train, batches, progress)
    try:
        found = early.calibrate(seen, synops_per_sample=synops_per_sample)
    except ValueError as error:  # the trained network is worth keeping all the same
        return replace(asked, why=str(error))
    return replace(
        asked, threshold=found.threshold, last_step=found.last_step, calibrated=found.exit
    )


def _tested(trainer: Trainer, early: EarlyExit, progress: Progress) -> ExitFigures:
    test = trainer.data.test
    batches = batches_of(trainer, torch.arange(len(test)))
    progress.start("measuring early exit", len(batches), 0)
    sums = torch.zeros(3, dtype=torch.float64, device=trainer.fabric.device)
    for frames, labels in _loaded(trainer, test, batches, progress):
        exits = early(frames)
        right = trainer.task.score(exits.answers, labels)
        sums += torch.stack([right.double(), exits.steps.double().sum(), exits.synops.sum()])
    accuracy, steps, synops = (
        trainer.fabric.all_reduce(sums, reduce_op="sum") / len(test)
    ).tolist()
    return ExitFigures(accuracy, steps, synops)


def _loaded(
    trainer: Trainer, dataset: Any, batches: list[Tensor], progress: Progress
) -> Iterator[tuple[Tensor, Tensor]]:
    for frames, labels in loaded(dataset, batches, trainer.data.stacked, trainer.config.workers):
        yield trainer.fabric.to_device((frames, labels))
        progress.advance("")
