"""Weights from a checkpoint into a model, without running the code that a pickle may hold."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from picojoule.extras import extra
from picojoule.training.files.checkpoint import learned_tensors, take_over
from picojoule.training.files.pickled import read_pickled

_NESTED = ("state_dict", "model_state_dict", "model")


def load_weights(model: nn.Module, file: str | Path) -> None:
    """Load a checkpoint of `state_dict` into the model; the states of neurons are left out.

    Args:
        model: takes the weights.
        file: `.safetensors`, also that of `picojoule train`; or what `torch.save` wrote, read with
            `weights_only=True`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds more than tensors, is damaged, or is of another model; nothing is loaded then.

    Example:
        >>> import tempfile
        >>> import torch
        >>> file = Path(tempfile.mkdtemp()) / "weights.pt"
        >>> torch.save(nn.Linear(2, 3).state_dict(), file)
        >>> load_weights(nn.Linear(2, 3), file)
    """
    file = Path(file)
    saved = _safetensors(file) if file.suffix == ".safetensors" else _pickled(file)
    states = model.state_dict().keys() - learned_tensors(model).keys()
    take_over(file, {name: value for name, value in saved.items() if name not in states}, model)


def _safetensors(file: Path) -> dict[str, Tensor]:
    with extra("train"):
        from safetensors import SafetensorError, safe_open
    if not file.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{file} is not a safetensors file, or damaged ({error}).") from error


def _pickled(file: Path) -> dict[str, Tensor]:
    saved: Any = read_pickled(
        file, "Save torch.save(model.state_dict(), file), or use safetensors."
    )
    for name in _NESTED:
        if isinstance(saved, dict) and isinstance(saved.get(name), dict):
            saved = saved[name]
    if not isinstance(saved, dict) or not all(isinstance(x, Tensor) for x in saved.values()):
        raise ValueError(f"{file}: expected a state_dict, names with tensors.")
    return saved
