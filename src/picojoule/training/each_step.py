"""A loss on the answer after each time step, for networks that may be stopped early."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F


def answers_by_step(output: Any, batch: int, time: int) -> Tensor:
    """What a network answers after each time step, the sum of its outputs so far: `b t c`.

    Args:
        output: `b t c` or `(b t) c`.
        batch: b.
        time: t.

    Raises:
        ValueError: it is neither, so the answers before the last are not known.

    Example:
        >>> import torch
        >>> answers_by_step(torch.ones(6, 1), batch=2, time=3)[0]
        tensor([[1.],
                [2.],
                [3.]])
    """
    if isinstance(output, Tensor):
        if output.ndim == 3 and output.shape[:2] == (batch, time):
            return output.cumsum(1)
        if output.ndim == 2 and len(output) == batch * time:
            return output.reshape(batch, time, -1).cumsum(1)
    came = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"the model answers a batch of {batch} samples of {time} time steps with {came}, expected b t c or (b t) c: "
        "loss_each_step needs its answer after each of them. Leave out what adds up over time, or loss_each_step."
    )


def loss_of_each_step(answers: Tensor, labels: Tensor) -> Tensor:
    """The cross entropy of the answer after each time step, its mean over samples and steps.

        loss = mean over t of cross_entropy(answers[:, t], labels)

    Args:
        answers: `b t c`.
        labels: `b`.

    Example:
        >>> import torch
        >>> loss_of_each_step(torch.zeros(2, 3, 4), torch.tensor([0, 3])).exp()
        tensor(4.)

    Source: after Deng et al. 2022, "Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting"
    (TET), arXiv 2202.11946, which takes the output of each step; here it is their sum up to then, which early exit looks
    at.
    """
    time = answers.shape[1]
    return F.cross_entropy(answers.flatten(0, 1), labels.repeat_interleave(time))
