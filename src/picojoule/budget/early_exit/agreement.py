"""Does a model, given one time step after the other, answer as it does to all of them at once?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from picojoule.budget.early_exit.stepping import stepping
from picojoule.budget.violation import BudgetWarning
from picojoule.layers import reset_states

_TOLERANCE = 0.05  # spikes at the threshold flip with the rounding of a batch of another shape


def check_steps_agree(
    model: nn.Module, called: Callable[[Tensor], Any], frames: Tensor, stepped: Tensor
) -> None:
    """Compare the sum of the outputs of single steps with that, or the mean, of the output for all steps.

    Args:
        model: the network.
        called: the same, or what wraps it.
        frames: `b t *f`.
        stepped: the outputs of the single steps, added up, `b c`.

    Raises:
        ValueError: they differ by more than a few spikes.

    Warns:
        BudgetWarning: the model answers the same frames in two ways, without torch's random numbers. (With these it
            is meant to, and is not compared.)
    """
    batch, num_timesteps = frames.shape[:2]
    with stepping(model, batch):
        state = _random_state(frames.device)
        whole = _summed(called(frames), batch, num_timesteps)
        drawn = not _random_state(frames.device).equal(state)
        reset_states(model)
        again = _summed(called(frames), batch, num_timesteps)
    if drawn:
        return
    if not whole.equal(again):
        warnings.warn(
            "EarlyExit: from states of zero the model gave two answers to the same frames. If it draws random numbers of "
            "its own this is meant; if it remembers elsewhere than in the layers of picojoule.layers, its answers and SynOps "
            "depend on what it was given before.",
            BudgetWarning,
            stacklevel=4,
        )
        return
    off = min(_distance(stepped, each) for each in (whole, num_timesteps * whole))
    if not off <= _TOLERANCE:
        raise ValueError(
            f"EarlyExit: the model answers {num_timesteps} time steps one by one otherwise than at once: on the first batch the "
            f"answers are {off:.0%} of their spread apart. It mixes time steps, such as by attention or a norm over time, so "
            "step by step it would not do what it was trained for."
        )


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _summed(output: Tensor, batch: int, num_timesteps: int) -> Tensor:
    """The output for all steps, `b t c`, `(b t) c` or `b c`, summed over time, `b c`."""
    if output.ndim == 2 and len(output) == batch * num_timesteps:
        output = output.reshape(batch, num_timesteps, -1)
    return output.sum(1) if output.ndim == 3 else output


def _distance(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference, as a share of how far the samples of `b` are from one another."""
    if a.shape != b.shape:
        return float("inf")
    a, b = a.double(), b.double()
    spread = (b - b.mean(0)).abs().mean().item()
    size = b.abs().mean().item()
    return (a - b).abs().mean().item() / max(spread if len(b) > 1 else size, 1e-3 * size, 1e-12)
