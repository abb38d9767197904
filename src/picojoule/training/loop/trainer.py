"""One network in training: what a step does, and an epoch."""

# More than 250 lines: one network in training; what a step does is read in one place.

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from picojoule.budget import Budget, BudgetWarning, EarlyExit
from picojoule.data import RateCoded
from picojoule.layers import HookHandles, check_finite
from picojoule.synops.counting_monitor import CountingMonitor
from picojoule.training.answers.answers import Answers, first_answers
from picojoule.training.answers.each_step import loss_of_each_step
from picojoule.training.files.checkpoint import learned_tensors
from picojoule.training.health.first_batch import remarks
from picojoule.training.health.kept_graphs import kept_graph
from picojoule.training.health.not_finite import broken_weights, first_not_finite
from picojoule.training.health.vitals import Vitals, Watch, over_processes
from picojoule.training.loop.mixed_time_steps import MixedTimeSteps
from picojoule.training.loop.processes import process_of
from picojoule.training.optimization.optimizers import build_optimizer
from picojoule.training.optimization.schedule import share_of_rate
from picojoule.training.randomness import Stream, derived_seed, generator
from picojoule.training.reworded import reworded
from picojoule.training.samples.batches import Step, loaded, steps_of_epoch
from picojoule.training.samples.run_data import RunData, set_epoch
from picojoule.training.settings.config import TrainConfig
from picojoule.training.tasks.classification import Classification
from picojoule.training.tasks.distillation import Teacher
from picojoule.training.tasks.task import OwnTask

_SINGLE = (
    "This batch has 1 sample: choose a batch_size that leaves no single one at the end of an epoch."
)
_KEPT = "The checkpoint of the epoch before is kept."
OnStep = Callable[[float, dict[str, float], str], None]


class Trainer:
    """A network, its task, its optimiser, its Monitor and its Budget, on the devices of a Fabric.

    Args:
        config: of the run.
        data: of the run.
        fabric: whose processes run.
        model: to train; it is moved to this process's device.
        teacher: whose answers are half of what it learns; None without one.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: RunData,
        fabric: Any,
        model: nn.Module,
        teacher: Teacher | None = None,
    ) -> None:
        self.config, self.data, self.fabric, self.model = config, data, fabric, model
        self._wrapped = fabric.setup_module(model)
        self.task = Classification() if config.task is None else OwnTask(config.task)
        self.answers = Answers(
            model, self._wrapped, config.readout if config.task is None else None
        )
        self.teacher = teacher
        self.handles = HookHandles()
        if config.check_finite:
            self.handles.add(check_finite(model))
        self.monitor = CountingMonitor(model, weights=config.weights).attach()
        self.mixed = MixedTimeSteps(self.answers, self.monitor, config.seed, fabric.device)
        self.budget: Budget | None = None  # from `begin` on
        self.trainable: tuple[str, ...] = ()
        self.remarks: list[str] = []
        self.optimizer: Any = None  # `begin` makes it, once it is known which layers run
        self._watch = Watch(0, 0)

    def close(self) -> None:
        """Leave the model without hooks."""
        self.handles.remove()
        self.monitor.detach()

    # ---- before training

    def begin(self) -> None:
        """Look at the first batch: whether data and model fit, what training can change, where the budget starts.

        A run that goes on looks at the same batch with the same weights as when it began, so it finds the same.

        Raises:
            ValueError: the data do not fit the model, or the budget does not fit it, or it cannot exit early.
            NotImplementedError: it cannot exit early.
        """
        lazy = next((name for name, p in self.model.named_parameters() if is_lazy(p)), None)
        if lazy is not None:
            raise ValueError(
                f"{lazy} has no size before the model's first call (a lazy layer): call the model on one sample in its factory."
            )
        before = {name: value.clone() for name, value in learned_tensors(self.model).items()}
        set_epoch(self.data.train, 0)
        first = self._steps(0)[0]
        frames, targets = next(loaded(self.data.train, first.mine, self.data.stacked))
        frames, targets = self.fabric.to_device((frames, targets))
        answers = first_answers(self.answers, frames)
        self.task.begin(answers, targets, self.data.num_classes)
        counts = self.monitor.synops
        self.trainable = tuple(name for name, count in counts.items() if count.requires_grad)
        images = self.data.train
        self.remarks = remarks(
            self.model,
            self.monitor.rates,
            frames,
            floor=self.config.min_rate,
            pixel_rate=images.max_rate if isinstance(images, RateCoded) else None,
        )
        self._try_each_step(frames, targets)
        if self.config.time_steps_per_stage == "random":
            self.mixed.find(frames)
            self.answers(frames)  # for what follows, with the usual steps
        steps = self.config.epochs * self.steps_per_epoch
        self.budget = self.config.budget(self.monitor, self.trainable, steps)
        if self.budget is not None:
            self.answers(frames)  # the budget sees how spikes flow
        own = self.model.state_dict()  # what has grown is no weight
        same = {name: value for name, value in before.items() if own[name].shape == value.shape}
        self.model.load_state_dict(same, strict=False)
        self._begin_budget()
        last = list(counts)[-1] if counts else None
        config = self.config
        optimizer = build_optimizer(
            self.model, config.optimizer, lr=config.learning_rate, steps=steps, last=last
        )
        self.optimizer = self.fabric.setup_optimizers(optimizer)

    def _try_each_step(self, frames: Tensor, targets: Tensor) -> None:
        if self.config.loss_each_step:
            self.answers.by_step(frames)
        if self.config.exit_synops_per_sample is not None:
            with self.monitor.paused():
                self.early_exit().observe([(frames, targets)])

    def early_exit(self) -> EarlyExit:
        """The network, run step by step and stopped when it is sure, by the run's readout and count of synapses."""
        return EarlyExit(
            self.model,
            called=self._wrapped,
            readout=self.answers.read,
            weights=self.config.weights,
        )

    def _begin_budget(self) -> None:
        if self.budget is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BudgetWarning)  # `impossible` has the same in words
            self.budget.begin()

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of an epoch, the last one with what is left of the samples."""
        return math.ceil(len(self.data.train_indices) / self.config.batch_size)

    @property
    def impossible(self) -> dict[str, str]:
        """A sentence for each constraint that training cannot meet, or did not."""
        if self.budget is None:
            return {}
        return {**self.budget.unreachable, **self.budget.infeasible, **self.budget.not_reached}

    # ---- training

    def train_epoch(self, epoch: int, on_step: OnStep) -> Vitals:
        """One pass over the training samples; what it showed.

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
            self.data.stacked,
            self.config.workers,
            generator(seed, Stream.WORKERS, epoch),
        )
        self.mixed.begin_epoch(epoch, process.rank)
        self._watch = Watch(sum(len(step.weights) for step in steps), len(steps))
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
        return self._watch.vitals(over_processes(self.fabric))

    def _steps(self, epoch: int) -> list[Step]:
        config, process = self.config, process_of(self.fabric)
        return steps_of_epoch(
            self.data.train_indices,
            config.seed,
            epoch,
            config.batch_size,
            config.accumulate,
            process,
        )

    def _set_learning_rate(self, done: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * share_of_rate(self.config.schedule, done)

    def _step(
        self, step: Step, batches: Iterator[tuple[Tensor, Tensor]], where: str
    ) -> tuple[float, dict[str, float]]:
        self.optimizer.zero_grad()
        loss, spent = 0.0, dict[str, float]()
        for number, weight in enumerate(step.weights):
            last = number + 1 == len(step.weights)
            try:
                loss += self._micro_batch(*next(batches), step.size, last)
            except (ValueError, FloatingPointError) as error:
                said = str(error) if str(error).endswith((".", "!", "?")) else f"{error}."
                kept = "" if where.startswith("epoch 1/") else f" {_KEPT}"
                way = " Try a smaller learning rate." if type(error) is FloatingPointError else ""
                if "more than 1 value per channel" in said:  # of a BatchNorm
                    way = f" {_SINGLE}"
                raise reworded(error, f"{where}: {said}{kept}{way}") from error
            except RuntimeError as error:
                sentence = kept_graph(self.model, error)
                if sentence is None:
                    raise
                raise ValueError(f"{where}: {sentence}") from error
            for name, count in self.monitor.synops.items():
                spent[name] = spent.get(name, 0.0) + weight * count.item()
        self.optimizer.step()
        if self.budget is not None:
            self.budget.step()
        return loss, spent

    def _micro_batch(self, frames: Tensor, targets: Tensor, step_size: int, last: bool) -> float:
        """Add the gradient of a micro-batch, and return its part of the loss of the whole batch."""
        self.task.check(targets)
        frames, targets = self.fabric.to_device((frames, targets))
        many = self.fabric.world_size > 1
        alone = many and not last  # gradients are averaged over processes once a step
        with ExitStack() as stack:
            if alone:
                stack.enter_context(self.fabric.no_backward_sync(self._wrapped))
            stack.enter_context(self.mixed.drawn(frames))
            answers, task = self._answers_and_loss(frames, targets)
            # so that the average over the processes is the mean over all samples
            task = task * (len(frames) * self.fabric.world_size / step_size)
            mean_task = self.fabric.all_reduce(task.detach(), reduce_op="mean") if many else task
            loss = float(mean_task.item())
            if not math.isfinite(loss):
                first = first_not_finite(self.model, lambda: self.answers(frames))
                raise FloatingPointError(f"the loss became {loss}; not finite first: {first}.")
            self._watch.see(mean_task, self.task.classes(answers, targets), self.monitor)
            if self.budget is None:
                self.fabric.backward(task)
            else:
                self.budget.backward(task, via=self.fabric.backward)
        return loss

    def _answers_and_loss(self, frames: Tensor, targets: Tensor) -> tuple[Any, Tensor]:
        if self.config.loss_each_step:
            by_step = self.answers.by_step(frames)
            answers, loss = by_step[:, -1], loss_of_each_step(self.task.loss, by_step, targets)
        else:
            answers = self.answers(frames)
            loss = self.task.loss(answers, targets)
        if self.teacher is not None:
            loss = (loss + self.teacher.loss(frames, answers)) / 2
        return answers, loss
