"""What a run began with: its settings, and the weights that it started from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picojoule.training.settings.config import TrainConfig

_WEIGHTS = ("start_from", "teacher")
_MOVES = {"data", "model", *_WEIGHTS}  # names of files; what is in them is checked by itself


def begun_with(config: TrainConfig) -> dict[str, Any]:
    """What a checkpoint keeps of it."""
    return {"settings": json.loads(json.dumps(config.to_dict())), "weights": _digests(config)}


def check_begun_with(path: Path, config: TrainConfig, then: Mapping[str, Any]) -> None:
    """Raise ValueError if a run goes on with other settings than it began with, or its first weights have changed.

    Args:
        path: the checkpoint, for the message.
        config: the settings now.
        then: as of :func:`begun_with` when it was written; empty in older checkpoints.
    """
    if not then:
        return
    moved = {name: value for name, value in config.to_dict().items() if name in _MOVES}
    faults = config.differences({**then["settings"], **moved})
    faults += [
        f"{name} has other weights now: {getattr(config, name)} has changed"
        for name, digest in _digests(config).items()
        if then["weights"].get(name, digest) != digest
    ]
    if faults:
        raise ValueError(
            f"{path} is of a run that began otherwise: {'; '.join(faults)}. Put back what it began with (settings are in "
            "config.yaml), or begin a run in another folder, with --start-from to keep the weights."
        )


def _digests(config: TrainConfig) -> dict[str, str]:
    files = {name: Path(x) for name in _WEIGHTS if (x := getattr(config, name)) is not None}
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for name, file in files.items()
        if file.is_file()
    }
