"""A whole run: the network trained to its targets, beside the same network trained without them."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import picojoule
from picojoule.data import load_images
from picojoule.training.atomic_write import write_json
from picojoule.training.config import TrainConfig
from picojoule.training.loop import Fit, Progress, check_fits, fit
from picojoule.training.run_folder import PLAIN, REPORT, run_folder


@dataclass(frozen=True)
class Run:
    """What a run found out.

    Attributes:
        config: what was asked for.
        budget: the network trained with the SynOps and rate terms.
        plain: the same network trained on the task alone; None if that was not asked for.
    """

    config: TrainConfig
    budget: Fit
    plain: Fit | None

    def over_target(self) -> dict[str, float]:
        """SynOps per time step of the layers that training can change and that exceed the target."""
        trained = self.budget.trained
        return {
            name: trained.synops_per_timestep[name]
            for name in trained.trainable
            if trained.synops_per_timestep[name] > self.config.synops_target
        }

    def accuracy_cost(self) -> float | None:
        """Accuracy without the two terms minus accuracy with them, -1 to 1."""
        if self.plain is None:
            return None
        return self.plain.trained.accuracy - self.budget.trained.accuracy

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        figures: dict[str, Any] = {
            "config": self.config.to_dict(),
            "environment": {
                "picojoule": picojoule.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
                "machine": platform.machine(),
                "threads": torch.get_num_threads(),
            },
            "untrained": self.budget.untrained.to_dict(),
            "trained": self.budget.trained.to_dict(),
            "trained_without_the_terms": self.plain.trained.to_dict() if self.plain else None,
            "accuracy_cost": self.accuracy_cost(),
            "over_target": self.over_target(),
            "history": vars(self.budget.history),
        }
        return figures


def train(
    config: TrainConfig,
    folder: Path,
    progress: Progress,
    *,
    compare: bool = True,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train the seed's LeNet to its targets and write what came of it to a folder.

    Written: `config.json`, `checkpoint.safetensors` (after each epoch), `report.json`, and with
    `compare` the same of the plain network under `plain/`.

    Args:
        config: what to do.
        folder: where the files go.
        progress: told about each step.
        compare: first train the same network without the SynOps and rate terms.
        resume: go on with the run in the folder; the end is that of an uninterrupted run.
        overwrite: replace the run in the folder.

    Raises:
        FileNotFoundError, ValueError: the data are missing, damaged or of another kind.
        FileExistsError, BlockingIOError: the folder is not free.
        OSError: a file could not be written; the previous one is kept.
        FloatingPointError: the loss is not finite; the last checkpoint is kept.
    """
    data = load_images(None if config.data is None else Path(config.data))
    check_fits(data)
    with run_folder(folder, config, resume=resume, overwrite=overwrite):
        plain = None
        if compare:
            (folder / PLAIN).mkdir(exist_ok=True)
            without_terms = replace(config, synops_weight=0.0, rate_weight=0.0)
            plain = fit(without_terms, data, folder / PLAIN, progress)
        run = Run(config, fit(config, data, folder, progress), plain)
        write_json(folder / REPORT, run.to_dict())
    return run
