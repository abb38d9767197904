"""What a checkpoint says of its run, checked before anything of it is taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from picojoule.training.files.checkpoint_files import read_checkpoint
from picojoule.training.loop.trainer import Trainer
from picojoule.training.record.history import check_is_of_a_run
from picojoule.training.settings.begun_with import check_begun_with


def progress_to_go_on_with(path: Path, trainer: Trainer) -> dict[str, Any]:
    """A History, and the states of `budget` and `precision`.

    Raises:
        ValueError: it is of no run, or of one that began with other settings, weights or data.
    """
    saved = read_checkpoint(path).progress
    check_is_of_a_run(path, saved)
    check_begun_with(path, trainer.config, saved.pop("begun_with", {}))
    trainer.data.check_same(path, saved.pop("sample"))
    return saved
