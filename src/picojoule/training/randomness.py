"""Random numbers that follow from what they are for: resuming in the middle draws the same ones."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What random numbers are for; each has its own."""

    WEIGHTS = 0
    ORDER = 1
    NOISE = 2
    SPLIT = 3
    WORKERS = 4
    TIME_STEPS = 5
    SPIKE_TIMES = 6


def derived_seed(seed: int, stream: Stream, *place: int) -> int:
    """A seed for one use at one place, such as an epoch.

    Example:
        >>> derived_seed(1, Stream.ORDER, 0) == derived_seed(1, Stream.ORDER, 1)
        False
    """
    key = (seed, int(stream), *place)
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]) >> 1


def generator(seed: int, stream: Stream, *place: int) -> torch.Generator:
    """A generator for one use at one place."""
    return torch.Generator().manual_seed(derived_seed(seed, stream, *place))
