"""A whole run: the network trained to its budget, beside the same network trained without."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picojoule.atomic_write import write_json
from picojoule.layers import reset_states
from picojoule.training.files.run_folder import (
    CHECKPOINT,
    PLAIN,
    REPORT,
    TENSORBOARD,
    check_begun,
    run_folder,
)
from picojoule.training.loop.fit import begun, fit
from picojoule.training.loop.logs import Log, NoLog, tensorboard_log
from picojoule.training.loop.processes import launched, losing_others_explained, on_first
from picojoule.training.loop.trainer import Trainer
from picojoule.training.record.history import Fit, Progress, Quiet
from picojoule.training.samples.run_data import load_run_data
from picojoule.training.settings.config import TrainConfig
from picojoule.version import __version__


@dataclass(frozen=True)
class Run:
    """The results of a run.

    Attributes:
        config: what was asked for.
        budget: the network trained to the budget.
        plain: the same network trained on the task alone; None if that was not asked for.
    """

    config: TrainConfig
    budget: Fit
    plain: Fit | None

    def accuracy_cost(self) -> float | None:
        """Accuracy without the budget minus accuracy with it, -1 to 1."""
        if self.plain is None:
            return None
        return self.plain.trained.accuracy - self.budget.trained.accuracy

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {
            "config": self.config.to_dict(),
            "environment": {
                "picojoule": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
                "machine": platform.machine(),
                "threads": torch.get_num_threads(),
            },
            "untrained": self.budget.untrained.to_dict(),
            "trained": self.budget.trained.to_dict(),
            "trained_without_budget": self.plain.trained.to_dict() if self.plain else None,
            "accuracy_cost": self.accuracy_cost(),
            "keeps_budget": self.budget.trained.keeps_budget,
            "unreachable": self.budget.unreachable,
            "infeasible": self.budget.infeasible,
            "not_reached": self.budget.not_reached,
            "faults": self.budget.faults,
            "early_exit": self.budget.exits.to_dict() if self.budget.exits else None,
            "history": vars(self.budget.history),
        }


def train(
    config: TrainConfig,
    folder: str | Path,
    progress: Progress,
    *,
    compare: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Train a network to its budget and write what came of it to a folder.

    Written: `config.yaml`, `checkpoint.safetensors` (before the first epoch and after each; what is not weights lies in
    a file beside it), `best.safetensors` (with a validation share: the best epoch under the budget), `report.json`, and with
    `compare` the same of the network without a budget under `plain/`.

    With several processes all of them call this with the same arguments; the first one writes the files and
    tells the progress. For `config.devices` > 1 without `torchrun`, the other processes run this
    program again from its start.

    Args:
        config: what to do.
        folder: where the files go.
        progress: told about each step.
        compare: first train the same network without a budget.
        resume: go on with the run in the folder; the end is that of an uninterrupted run.
        overwrite: replace the run in the folder.
        tensorboard: write to `tensorboard/`, too.

    Raises:
        FileNotFoundError, ValueError: the data are missing, damaged or do not fit the model, or the
            budget does not; or there is no run to resume.
        FileExistsError, BlockingIOError: the folder is not free.
        OSError: a file could not be written; the previous one is kept.
        FloatingPointError: the loss is not finite; the last checkpoint is kept.
        ConnectionError: another process of the run has ended; the last checkpoint is kept.
    """
    folder = Path(folder)
    if resume:
        check_begun(folder)
        # the twin comes first, so where there is none there was to be none
        compare = compare and ((folder / PLAIN).exists() or not (folder / CHECKPOINT).exists())
    data = load_run_data(config)
    fabric = launched(config)
    if not fabric.is_global_zero:
        progress = Quiet()
    with ExitStack() as stack, losing_others_explained():
        folder_in_use = run_folder(folder, config, resume=resume, overwrite=overwrite)
        begin = list[Callable[[], None]]()
        on_first(fabric, lambda: begin.append(stack.enter_context(folder_in_use)))

        def trained(trainer: Trainer, place: Path, name: str) -> Fit:
            on_first(fabric, lambda: place.mkdir(exist_ok=True))
            log: Log = NoLog()
            if tensorboard and fabric.is_global_zero:
                log = tensorboard_log(folder / TENSORBOARD / name)
            return fit(trainer, place, progress, log)

        plain = None
        # before anything is trained, so that what does not fit is an error at once
        with begun(config, data, fabric) as trainer:
            for sentence in (*trainer.remarks, *trainer.impossible.values()):
                progress.note(sentence)
            on_first(fabric, lambda: begin[0]())
            if compare and config.has_budget:
                trainer.monitor.reset()  # frees the first batch while the other network is trained
                reset_states(trainer.model)
                with begun(config.without_budget(), data, fabric) as other:
                    plain = trained(other, folder / PLAIN, "without_budget")
            run = Run(config, trained(trainer, folder, "budget"), plain)
        on_first(fabric, lambda: write_json(folder / REPORT, run.to_dict()))
    return run
