"""How sure a network is of its answer: one number a sample, and which way it grows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import inf
from typing import Literal

import torch
from torch import Tensor

Sure = Literal["entropy", "margin"]


def entropy(answers: Tensor) -> Tensor:
    """Entropy of the softmax of each answer, as a share of the highest: 0 is certain, 1 is all classes alike.

        entropy = -sum over classes of p log p / log c;   p = softmax(answer)

    Args:
        answers: one number for each class, `n c` with c >= 2.

    Returns:
        `n`, float64, 0 to 1.

    Raises:
        ValueError: there are not at least two classes.

    Example:
        >>> entropy(torch.tensor([[0.0, 0.0], [0.0, 1000.0]]))
        tensor([1., 0.], dtype=torch.float64)

    Source: Li et al. 2023, "Input-Aware Dynamic Timestep Spiking Neural Networks for Efficient In-Memory Computing"
    (DT-SNN), arXiv 2305.17346.
    """
    _check(answers)
    total: Tensor = torch.special.entr(answers.double().softmax(1)).sum(1)
    return (total / math.log(answers.shape[1])).clamp(0.0, 1.0)


def margin(answers: Tensor) -> Tensor:
    """How far the highest number of each answer is ahead of the second, in the answer's unit, such as spikes.

    Args:
        answers: one number for each class, `n c` with c >= 2.

    Returns:
        `n`, float64, >= 0; 0 where two classes share the lead.

    Raises:
        ValueError: there are not at least two classes.

    Example:
        >>> margin(torch.tensor([[5.0, 1.0, 2.0], [4.0, 4.0, 0.0]]))
        tensor([3., 0.], dtype=torch.float64)
    """
    _check(answers)
    first, second = answers.double().topk(2, dim=1).values.unbind(1)
    return first - second


def _check(answers: Tensor) -> None:
    if answers.ndim != 2 or answers.shape[1] < 2:
        raise ValueError(
            f"EarlyExit: the answers have shape {tuple(answers.shape)}, expected (samples, classes) with two classes "
            "at least: of one number nobody can tell how sure it is."
        )


@dataclass(frozen=True)
class Sureness:
    """A measure and its direction; `of` grows with certainty, thresholds are in the unit of the measure.

    Args:
        name: of the measure.

    Raises:
        ValueError: there is no such measure.

    Example:
        >>> by_entropy = Sureness("entropy")
        >>> by_entropy.least_for(0.2), by_entropy.threshold_for(-0.2)
        (-0.2, 0.2)
    """

    name: Sure

    def __post_init__(self) -> None:
        if self.name not in _MEASURES:
            raise ValueError(
                f"EarlyExit: sure is {self.name!r}; choose one of {', '.join(_MEASURES)}."
            )

    def of(self, answers: Tensor) -> Tensor:
        """How sure the answers are, `n`: the higher the surer."""
        return _SIGN[self.name] * _MEASURES[self.name](answers)

    def least_for(self, threshold: float | None) -> float:
        """The sureness from which on a sample is done; None is never."""
        return inf if threshold is None else _SIGN[self.name] * threshold

    def threshold_for(self, least: float) -> float | None:
        """The threshold, in the measure's unit, for a least sureness; the inverse of `least_for`."""
        return None if least == inf else _SIGN[self.name] * least


_MEASURES = {"entropy": entropy, "margin": margin}
_SIGN = {"entropy": -1.0, "margin": 1.0}
