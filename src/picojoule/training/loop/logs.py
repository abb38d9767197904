"""A run in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from picojoule.extras import extra
from picojoule.plots import log_to_tensorboard
from picojoule.training.loop.trainer import Trainer
from picojoule.training.record.history import History


class Log(Protocol):
    """Writes down the figures of a run as they come."""

    def begin(self, steps: int) -> None:
        """The training of a network begins, or goes on after `steps` steps."""

    def step(self, trainer: Trainer, history: History) -> None:
        """A training step is done."""

    def epoch(self, trainer: Trainer, history: History) -> None:
        """An epoch is done, and validated."""


class NoLog:
    """A :class:`Log` that writes nothing."""

    def begin(self, steps: int) -> None:
        """Nothing."""

    def step(self, trainer: Trainer, history: History) -> None:
        """Nothing."""

    def epoch(self, trainer: Trainer, history: History) -> None:
        """Nothing."""


class TensorBoardLog:
    """Writes `loss` and `learning_rate` of each step, and after each epoch what the Monitor saw last.

    The latter are the figures of :func:`picojoule.plots.log_to_tensorboard`; `pull/CONSTRAINT`, how hard the budget
    pulls, over the gradient of the task; and `validation/accuracy`, or under the name of the task's score.

    Args:
        open_writer: gives a `torch.utils.tensorboard.SummaryWriter`, or whatever has its two methods, for
            the number of steps that are done; it drops what was written after them.
    """

    def __init__(self, open_writer: Callable[[int], Any]) -> None:
        self._open = open_writer
        self._writer: Any = None

    def begin(self, steps: int) -> None:
        """Open the writer."""
        self._writer = self._open(steps)

    def step(self, trainer: Trainer, history: History) -> None:
        """Write a training step."""
        number = len(history.loss)
        self._writer.add_scalar("loss", history.loss[-1], number)
        rate = trainer.optimizer.param_groups[0]["lr"]
        self._writer.add_scalar("learning_rate", rate, number)

    def epoch(self, trainer: Trainer, history: History) -> None:
        """Write what is known after an epoch."""
        number = len(history.loss)
        log_to_tensorboard(self._writer, trainer.monitor, number)
        for name, value in (trainer.budget.pulls if trainer.budget else {}).items():
            self._writer.add_scalar(f"pull/{name}", value, number)
        if history.validation:
            accuracy = history.validation[-1]["accuracy"]
            self._writer.add_scalar(f"validation/{trainer.task.score_name}", accuracy, number)


def tensorboard_log(folder: Path) -> TensorBoardLog:
    """A log in a folder, for `tensorboard --logdir`.

    Raises:
        ImportError: tensorboard is missing.
    """
    with extra("train"):
        from torch.utils.tensorboard import SummaryWriter

    def writer(steps: int) -> Any:
        return SummaryWriter(str(folder), purge_step=steps + 1)

    return TensorBoardLog(writer)
