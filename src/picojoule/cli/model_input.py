"""What a model is shown to be counted: drawn at random from a shape, or read from a file."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class ModelInput:
    """A tensor, and what it is in words."""

    values: Tensor
    words: str


def model_input(given: str, rate: float, dense: bool, seed: int) -> ModelInput:
    """The input that a user names.

    Args:
        given: a shape, "1,50,2,34,34" or "1x50x2x34x34"; or an `.npy` file.
        rate: share of ones among random spikes, 0 to 1.
        dense: draw values between 0 and 1 instead of spikes.
        seed: of the random numbers.

    Raises:
        ValueError: it is neither a shape nor a file of numbers; or the rate is not 0 to 1.

    Example:
        >>> shown = model_input("2,5,3", rate=0.1, dense=False, seed=0)
        >>> shown.values.shape, shown.words
        (torch.Size([2, 5, 3]), 'random spikes of shape 2,5,3, each with probability 0.1 (seed 0)')
    """
    if given.endswith(".npy"):
        return _read(Path(given))
    if not 0 <= rate <= 1:
        raise ValueError(f"--rate is {rate}, expected a probability, 0 to 1.")
    shape = _shape(given)
    shown = ",".join(map(str, shape))
    random = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    if dense:
        return ModelInput(random, f"random values in 0..1 of shape {shown} (seed {seed})")
    words = f"random spikes of shape {shown}, each with probability {rate:g} (seed {seed})"
    return ModelInput((random < rate).float(), words)


def _shape(given: str) -> tuple[int, ...]:
    parts = re.split(r"[,x ]+", given.strip("()[] "))
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"--input is {given!r}, expected a shape with the batch first, such as 1,50,2,34,34, or an .npy file."
        )
    shape = tuple(map(int, parts))
    if math.prod(shape) > 2**31:
        raise ValueError(f"--input {given} has {math.prod(shape):,} values, too many to draw.")
    return shape


def _read(file: Path) -> ModelInput:
    try:
        values = np.load(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{file} is not a file of numbers ({error}).") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        raise ValueError(f"{file} is not a file of numbers.")
    shape = ",".join(map(str, values.shape))
    return ModelInput(torch.from_numpy(values).float(), f"{file}, of shape {shape}")
