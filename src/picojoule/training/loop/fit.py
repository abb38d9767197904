"""The epochs of one network, with a checkpoint after each, from the start or from where they stopped."""

# More than 250 lines: what an epoch does, tells and keeps is one story.

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from picojoule.budget import BudgetWarning
from picojoule.training.files.checkpoint import load_checkpoint, save_checkpoint, save_trained
from picojoule.training.files.run_folder import BEST, CHECKPOINT, TRAINED
from picojoule.training.files.weights import load_weights
from picojoule.training.health.faults import faults
from picojoule.training.health.no_gradient import no_gradient
from picojoule.training.health.vitals import Vitals
from picojoule.training.loop.evaluation import measure
from picojoule.training.loop.exits import measure_exits
from picojoule.training.loop.going_on import progress_to_go_on_with
from picojoule.training.loop.logs import Log
from picojoule.training.loop.processes import on_first
from picojoule.training.loop.recalibration import recalibrate
from picojoule.training.loop.trainer import Trainer
from picojoule.training.loop.trimming import trim
from picojoule.training.networks.models import build_model
from picojoule.training.randomness import Stream, derived_seed
from picojoule.training.record.exit_measurement import ExitMeasurement
from picojoule.training.record.history import Fit, History, Progress
from picojoule.training.record.measure import Measurement
from picojoule.training.samples.run_data import RunData, set_epoch
from picojoule.training.settings.begun_with import begun_with
from picojoule.training.settings.config import TrainConfig
from picojoule.training.tasks.distillation import Teacher


@contextmanager
def begun(config: TrainConfig, data: RunData, fabric: Any) -> Iterator[Trainer]:
    """A new network that has looked at its first batch: data, model and budget fit one another.

    Meanwhile random numbers are the run's own; afterwards they go on as if nothing had been.

    Raises:
        ValueError: they do not fit.
    """
    with torch.random.fork_rng():
        trainer = _trainer(config, data, fabric)
        try:
            trainer.begin()
            yield trainer
        finally:
            trainer.close()


def fit(trainer: Trainer, folder: Path, progress: Progress, log: Log) -> Fit:
    """Train a network, or go on with the run whose checkpoint is in `folder`.

    Args:
        trainer: the network, as :func:`begun` gives it.
        folder: where the checkpoints are kept: one before the first epoch and after each, and the
            best one under the budget.
        progress: told about each step.
        log: the same, for later.

    Raises:
        ValueError: a sample does not fit the model, or a checkpoint is of another model.
        OSError: a checkpoint could not be written; the previous one is kept.
        FloatingPointError: the loss is not finite; the last checkpoint is kept.
    """
    return _Epochs(trainer, folder, progress, log).run()


def _trainer(config: TrainConfig, data: RunData, fabric: Any) -> Trainer:
    torch.manual_seed(derived_seed(config.seed, Stream.WEIGHTS))
    model = build_model(config.model, data.shape, data.num_classes, config.batch_size)
    if config.start_from is not None:
        load_weights(model, config.start_from)
    return Trainer(config, data, fabric, model, _teacher(config, data, fabric))


def _teacher(config: TrainConfig, data: RunData, fabric: Any) -> Teacher | None:
    if config.teacher is None:
        return None
    model = build_model(config.model, data.shape, data.num_classes, config.batch_size)
    load_weights(model, config.teacher)
    return Teacher(model, fabric, config.readout, config.temperature)


class _Epochs:
    def __init__(self, trainer: Trainer, folder: Path, progress: Progress, log: Log) -> None:
        self.trainer, self.folder, self.progress, self.log = trainer, folder, progress, log
        self.config, self.data = trainer.config, trainer.data
        self.history = History()
        self._told: set[str] = set()
        self._wrong: set[str] = set()
        self._out: set[str] = set()
        self._rates_before: dict[str, float] = {}
        self._begun_with = begun_with(trainer.config)

    def run(self) -> Fit:
        untrained = self._test("measuring the untrained network")
        self._rates_before = {name: untrained.mean_rate(name) for name in untrained.rates}
        self.history.trainable = list(self.trainer.trainable)
        self._restore_or_save()
        self.log.begin(len(self.history.loss))
        steps = self.trainer.steps_per_epoch
        done = self.history.epochs
        self.progress.start("training", steps * self.config.epochs, steps * done)
        self._told = set(self.trainer.impossible)
        self._out = set(self.trainer.budget.unreachable) if self.trainer.budget else set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BudgetWarning)  # they come as notes
            for epoch in range(done, self.config.epochs):
                vitals = self.trainer.train_epoch(epoch, self._on_step)
                recalibrate(self.trainer)
                self.history.epochs = epoch + 1
                self._look_at(vitals)
                better = self._validate()
                self._save()
                if better:
                    self._save_best()
                self.log.epoch(self.trainer, self.history)
        if self.history.chosen_epoch is not None:
            load_checkpoint(self.folder / BEST, self.trainer.model)
        trim(self.trainer, self.progress)
        self._write(lambda: save_trained(self.folder / TRAINED, self.trainer.model))
        trained = self._test("measuring the trained network")
        exits = self._exits()
        budget = self.trainer.budget
        return Fit(
            untrained,
            trained,
            self.history,
            dict(budget.unreachable) if budget else {},
            dict(budget.infeasible) if budget else {},
            dict(budget.not_reached) if budget else {},
            self._faults(trained),
            {name: type(layer).__name__ for name, layer in self.trainer.model.named_modules()},
            exits,
        )

    def _on_step(self, loss: float, synops: dict[str, float], where: str) -> None:
        if not self.history.loss and (sentence := no_gradient(self.trainer.model)):
            self.progress.note(f"{where}: {sentence}")
        self.history.add_step(loss, synops)
        for name, sentence in self.trainer.impossible.items():
            if name not in self._told:
                self._told.add(name)
                self.progress.note(sentence)
        self._retract()
        self.log.step(self.trainer, self.history)
        self.progress.advance(f"{where}  loss {loss:.3f}  {sum(synops.values()):.3g} SynOps/step")

    def _retract(self) -> None:
        """Say once that a limit is in reach after all: the first batches spent more than most."""
        back = [name for name in self._out if name not in self.trainer.impossible]
        for name in back:
            self.progress.note(f"{name} is in reach after all, by the mean of more batches.")
        self._out.difference_update(back)

    def _look_at(self, vitals: Vitals) -> None:
        """Say at once what has gone wrong in this epoch for the first time."""
        self.history.task_loss.append(vitals.task_loss)
        found = faults(
            where=f"in the last batches of epoch {self.history.epochs}",
            rates_before=self._rates_before,
            silent=vitals.silent,
            answered=vitals.answered,
            labelled=vitals.labelled,
            task_loss=self.history.task_loss,
        )
        for what in found.keys() - self._wrong:
            self.progress.note(found[what])
        self._wrong = set(found)

    def _faults(self, trained: Measurement) -> dict[str, str]:
        return faults(
            where="on the test set",
            rates_before=self._rates_before,
            silent=[name for name in trained.rates if trained.silent_share(name) == 1],
            answered=trained.answered,
            labelled=trained.labelled,
            task_loss=self.history.task_loss[: self.history.chosen_epoch],
        )

    def _test(self, what: str) -> Measurement:
        everything = torch.arange(len(self.data.test))
        return measure(self.trainer, self.data.test, everything, self.progress, what)

    def _exits(self) -> ExitMeasurement | None:
        limit = self.config.exit_synops_per_sample
        if limit is None:
            return None
        measured = measure_exits(self.trainer, limit, self.progress)
        if measured.why:
            self.progress.note(measured.why)
        return measured

    def _validate(self) -> bool:
        """Measure the epoch on the validation samples; whether it is the best so far."""
        if not len(self.data.validation_indices):
            return False
        set_epoch(self.data.train, 0)  # the same spike trains after each epoch
        measured = measure(
            self.trainer, self.data.train, self.data.validation_indices, self.progress, "validating"
        )
        return self.history.add_validation(measured)

    def _save_best(self) -> None:
        """Keep the network of the epoch just done, after its checkpoint: a run that is killed between the two makes up for it."""
        epochs = self.history.epochs
        about = {"epoch": epochs, "accuracy": self.history.validation[epochs - 1]["accuracy"]}
        self._write(lambda: save_checkpoint(self.folder / BEST, self.trainer.model, None, about))

    def _restore_or_save(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.exists():
            self.trainer.fabric.barrier()  # before the first process writes it
            self._save()
            return
        saved = progress_to_go_on_with(path, self.trainer)
        budget, precision = (saved.pop(name) for name in ("budget", "precision"))
        load_checkpoint(path, self.trainer.model, self.trainer.optimizer)
        if self.trainer.budget is not None:
            self.trainer.budget.load_state_dict(budget)
        self.trainer.fabric.strategy.precision.load_state_dict(precision)
        self.history = History(**saved)
        if self.history.chosen_epoch == self.history.epochs:
            self._save_best()

    def _save(self) -> None:
        trainer = self.trainer
        state = {
            **vars(self.history),
            "budget": trainer.budget.state_dict() if trainer.budget else {},
            "precision": trainer.fabric.strategy.precision.state_dict(),
            "sample": self.data.described(),
            "begun_with": self._begun_with,
        }
        path = self.folder / CHECKPOINT
        self._write(lambda: save_checkpoint(path, trainer.model, trainer.optimizer, state))

    def _write(self, action: Any) -> None:
        try:
            on_first(self.trainer.fabric, action)
        except OSError as error:
            if error.strerror is None or not (self.folder / CHECKPOINT).exists():
                raise
            then = f"{error.strerror} Make room and go on with --resume."
            raise OSError(error.errno, then, error.filename) from error
