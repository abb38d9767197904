"""The answer after each time step and a loss on it, for networks that may be stopped early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from picojoule.layers import StatefulLayer

_OR_NONE = "or leave out loss_each_step."


def counts_by_step(output: Any, batch_size: int, num_timesteps: int) -> Tensor:
    """The sum of a network's outputs up to each time step: `b t c`.

    Args:
        output: `b t c` or `(b t) c`.
        batch_size: b.
        num_timesteps: t.

    Raises:
        ValueError: it is neither, so that the answers before the last one are not known.

    Example:
        >>> import torch
        >>> counts_by_step(torch.ones(6, 1), batch_size=2, num_timesteps=3)[0]
        tensor([[1.],
                [2.],
                [3.]])
    """
    if isinstance(output, Tensor):
        if output.ndim == 3 and output.shape[:2] == (batch_size, num_timesteps):
            return output.cumsum(1)
        if output.ndim == 2 and len(output) == batch_size * num_timesteps:
            return output.reshape(batch_size, num_timesteps, -1).cumsum(1)
    came = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ValueError(
        f"the model answers a batch of {batch_size} samples of {num_timesteps} time steps with {came}, expected b t c or (b t) c: "
        f"loss_each_step needs its answer after each of them. Leave out what adds up over time, {_OR_NONE}"
    )


@contextmanager
def recording(neurons: Any) -> Iterator[None]:
    """Let a neuron layer record its states of each time step; its spikes stay the same.

    Args:
        neurons: the layer.

    Raises:
        ValueError: it cannot.
    """
    if not hasattr(neurons, "record_states"):
        raise ValueError(
            f"the last layer, {type(neurons).__name__}, has no record_states, so what is left in its potential after each "
            f"time step is not known, which loss_each_step needs. Choose readout count, {_OR_NONE}"
        )
    before = neurons.record_states
    neurons.record_states = True
    try:
        yield
    finally:
        neurons.record_states = before
        if not before:
            neurons.recordings = {}


def left_by_step(neurons: StatefulLayer) -> Tensor:
    """What is left of spikes in the potential after each time step, in thresholds: `b t *n`, from the recordings.

    Example:
        >>> import torch
        >>> from picojoule.layers import IAF
        >>> neurons = IAF(spike_threshold=2.0, record_states=True)
        >>> spikes = neurons(torch.tensor([[[1.5], [1.5]]]))  # 3 make one spike and leave 1
        >>> left_by_step(neurons).flatten()
        tensor([0.7500, 0.5000])
    """
    threshold: Any = neurons.recordings.get("spike_threshold", neurons.spike_threshold)
    left: Tensor = neurons.recordings["v_mem"] / threshold
    return left


def loss_of_each_step(
    loss: Callable[[Tensor, Tensor], Tensor], answers: Tensor, targets: Tensor
) -> Tensor:
    """The loss of the answer after each time step, its mean over samples and steps.

        mean over t of loss(answers[:, t], targets)

    Args:
        loss: a mean over samples.
        answers: `b t c`.
        targets: `b`.

    Example:
        >>> import torch
        >>> from torch.nn import functional as F
        >>> loss_of_each_step(F.cross_entropy, torch.zeros(2, 3, 4), torch.tensor([0, 3])).exp()
        tensor(4.)

    Source: after Deng et al. 2022, "Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting"
    (TET), arXiv 2202.11946, which takes the output of each step; here it is the answer up to then, which early exit looks
    at.
    """
    return loss(answers.flatten(0, 1), targets.repeat_interleave(answers.shape[1]))
