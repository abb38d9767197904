"""One network in training: what a step does, and an epoch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from picojoule.budget import BudgetWarning, EarlyExit
from picojoule.layers import HookHandles, check_finite
from picojoule.synops.monitor import CountingMonitor
from picojoule.training.batches import Step, loaded, steps_of_epoch
from picojoule.training.checkpoint import learned_tensors
from picojoule.training.classifier import Classifier, check_labels, fits
from picojoule.training.config import TrainConfig
from picojoule.training.each_step import loss_of_each_step
from picojoule.training.first_batch import remarks
from picojoule.training.not_finite import broken_weights, first_not_finite
from picojoule.training.processes import process_of
from picojoule.training.randomness import Stream, derived_seed, generator
from picojoule.training.run_data import RunData, set_epoch

_KEPT = "The checkpoint of the epoch before is kept. Try a smaller learning rate."
OnStep = Callable[[float, dict[str, float], str], None]


class Trainer:
    """A network, its optimiser, its Monitor and its Budget, on the devices of a Fabric.

    Args:
        config: of the run.
        data: of the run.
        fabric: whose processes run.
        model: to train; it is moved to this process's device.
    """

    def __init__(self, config: TrainConfig, data: RunData, fabric: Any, model: nn.Module) -> None:
        self.config, self.data, self.fabric, self.model = config, data, fabric, model
        adam = torch.optim.Adam(
            [weight for weight in model.parameters() if weight.requires_grad],
            lr=config.learning_rate,
        )
        self._wrapped, self.optimizer = fabric.setup(model, adam)
        self.classify = Classifier(model, self._wrapped)
        self.handles = HookHandles()
        if config.check_finite:
            self.handles.add(check_finite(model))
        self.monitor = CountingMonitor(model).attach()
        self.budget = config.budget(self.monitor)
        self.trainable: tuple[str, ...] = ()
        self.remarks: list[str] = []
        self._num_outputs = 0

    def close(self) -> None:
        """Leave the model without hooks."""
        self.handles.remove()
        self.monitor.detach()

    # ---- before training

    def begin(self) -> None:
        """Look at the first batch: do data and model fit, what can training change, where does the budget start.

        It is the same batch and the same weights whenever a run begins or goes on, so the answers are, too.

        Raises:
            ValueError: the data do not fit the model, or the budget does not fit it, or it cannot exit early.
            NotImplementedError: it cannot exit early.
        """
        before = {name: value.clone() for name, value in learned_tensors(self.model).items()}
        set_epoch(self.data.train, 0)
        first = self._steps(0)[0]
        frames, labels = next(loaded(self.data.train, first.mine))
        frames, labels = self.fabric.to_device((frames, labels))
        answers = fits(self.classify, frames, labels, self.data.num_classes)
        self._num_outputs = answers.shape[1]
        counts = self.monitor.synops
        self.trainable = tuple(name for name, count in counts.items() if count.requires_grad)
        self.remarks = remarks(self.model, self.monitor.rates, frames)
        self._begin_budget()
        if self.config.loss_each_step:
            self.classify.by_step(frames)
        if self.config.exit_synops_per_sample is not None:
            self.early_exit().observe([(frames, labels)])
        self.model.load_state_dict(before, strict=False)

    def early_exit(self) -> EarlyExit:
        """The network, run step by step and stopped when it is sure."""
        return EarlyExit(self.model, called=self._wrapped)

    def _begin_budget(self) -> None:
        if self.budget is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BudgetWarning)  # told by `impossible`
            self.budget.penalty()
        start = self.budget.state_dict()
        self.budget.step()  # this batch is no step of training
        self.budget.load_state_dict(start)

    @property
    def impossible(self) -> dict[str, str]:
        """What no training can meet, by the constraint: a sentence each."""
        return {**self.budget.unreachable, **self.budget.infeasible} if self.budget else {}

    # ---- training

    def train_epoch(self, epoch: int, on_step: OnStep) -> None:
        """One pass over the training samples.

        Args:
            epoch: from 0 on.
            on_step: told the loss, the SynOps per time step by layer, and where.

        Raises:
            FloatingPointError: the loss or the weights are no longer finite.
            ValueError: an input of a layer is not finite, or a sample does not fit.
        """
        seed, process = self.config.seed, process_of(self.fabric)
        set_epoch(self.data.train, epoch)
        torch.manual_seed(derived_seed(seed, Stream.NOISE, epoch, process.rank))
        steps = self._steps(epoch)
        batches = loaded(
            self.data.train,
            [piece for step in steps for piece in step.mine],
            self.config.workers,
            generator(seed, Stream.WORKERS, epoch),
        )
        for number, step in enumerate(steps):
            where = f"epoch {epoch + 1}/{self.config.epochs}"
            self._set_learning_rate((epoch + number / len(steps)) / self.config.epochs)
            loss, synops = self._step(step, batches, where)
            on_step(loss, synops, where)
        broken = broken_weights(self.model)
        if broken:
            raise FloatingPointError(
                f"the weights {broken!r} are not finite after epoch {epoch + 1}. {_KEPT}"
            )

    def _steps(self, epoch: int) -> list[Step]:
        config, process = self.config, process_of(self.fabric)
        return steps_of_epoch(
            self.data.trained, config.seed, epoch, config.batch_size, config.accumulate, process
        )

    def _set_learning_rate(self, done: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def _step(
        self, step: Step, batches: Iterator[tuple[Tensor, Tensor]], where: str
    ) -> tuple[float, dict[str, float]]:
        self.optimizer.zero_grad()
        loss, spent = 0.0, dict[str, float]()
        for number, weight in enumerate(step.weights):
            last = number + 1 == len(step.weights)
            try:
                loss += self._micro_batch(*next(batches), step.size, weight, last)
            except (ValueError, FloatingPointError) as error:
                raise type(error)(f"{where}: {error} {_KEPT}") from error
            for name, count in self.monitor.synops.items():
                spent[name] = spent.get(name, 0.0) + weight * count.item()
        self.optimizer.step()
        if self.budget is not None:
            self.budget.step()
        return loss, spent

    def _micro_batch(
        self, frames: Tensor, labels: Tensor, step_size: int, weight: float, last: bool
    ) -> float:
        """Add its gradient; its part of the loss of the whole batch."""
        check_labels(labels, self._num_outputs)
        frames, labels = self.fabric.to_device((frames, labels))
        many = self.fabric.world_size > 1
        alone = many and not last  # gradients are averaged over processes once a step
        with self.fabric.no_backward_sync(self._wrapped) if alone else nullcontext():
            # the average over W processes shall be the mean over all samples
            share = len(labels) * self.fabric.world_size / step_size
            task = self._task_loss(frames, labels) * share
            penalty = weight * self._penalty()
            mean_task = self.fabric.all_reduce(task.detach(), reduce_op="mean") if many else task
            loss = float((mean_task.detach() + penalty.detach()).item())
            if not math.isfinite(loss):
                first = first_not_finite(self.model, lambda: self.classify(frames))
                raise FloatingPointError(f"the loss became {loss}; not finite first: {first}.")
            self.fabric.backward(task + penalty)
        return loss

    def _task_loss(self, frames: Tensor, labels: Tensor) -> Tensor:
        if self.config.loss_each_step:
            return loss_of_each_step(self.classify.by_step(frames), labels)
        return F.cross_entropy(self.classify(frames), labels)

    def _penalty(self) -> Tensor:
        if self.budget is None:
            return torch.zeros(())
        try:
            return self.budget.penalty()
        except FloatingPointError:  # told with the layer, as of any loss
            return torch.tensor(torch.nan)
