"""Firing rates, in spikes per time step."""

from __future__ import annotations

from torch import Tensor

from picojoule.synops.magnitudes import exact_dtype


def firing_rate(spikes: Tensor) -> Tensor:
    """Mean over samples, time steps and neurons: a scalar.

    Example:
        >>> import torch
        >>> firing_rate(torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]))
        tensor(0.7500)
    """
    return spikes.mean()


def firing_rate_per_neuron(spikes: Tensor, batch_and_time_axes: int = 2) -> Tensor:
    """Mean over samples and time steps for each neuron, `*n`.

    Args:
        spikes: `b t *n`, or `(b t) *n` with `batch_and_time_axes=1`.
        batch_and_time_axes: how many leading axes are samples and time.

    Example:
        >>> import torch
        >>> firing_rate_per_neuron(torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]))
        tensor([1.5000, 0.0000])
    """
    return spikes.mean(tuple(range(batch_and_time_axes)))


def silent_share(rates: Tensor) -> float:
    """Share of neurons, 0 to 1, whose rate is exactly zero. Waits for the device.

    Example:
        >>> import torch
        >>> silent_share(torch.tensor([0.5, 0.0, 0.1, 0.0]))
        0.5
    """
    return share_silent(rates).item()


def share_silent(rates: Tensor) -> Tensor:
    """The same as a scalar on the device of the rates, for which nothing waits."""
    return (rates == 0).to(exact_dtype(rates)).mean()
