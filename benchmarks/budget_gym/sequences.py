"""Sequences of spikes like spoken words: energy that moves over frequency channels, said each time differently.

A word is a few formants. Each has a centre that moves between channels from its onset to its end. A speaker shifts
the channels, stretches the time, and leaves some formants faint; noise is added, and spikes are drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor

CLASSES, CHANNELS, TIMESTEPS = 10, 96, 25
FORMANTS, WIDTH = 3, 3.0  # of a word; channels to either side of its centre
LOUD, NOISE = 0.8, 0.01  # spikes per channel and time step at the centre, and everywhere
# channels, share of the time, time steps (standard deviations)
SHIFT, STRETCH, LATE = (
    6.0,
    0.2,
    3.0,
)


class Words(NamedTuple):
    """The formants of each class, `class formant`: where and when they begin and end."""

    low: Tensor
    high: Tensor
    onset: Tensor
    end: Tensor


def templates(generator: Generator) -> Words:
    """Ten words of random formants."""

    def draw(least: float, most: float) -> Tensor:
        return least + (most - least) * torch.rand(CLASSES, FORMANTS, generator=generator)

    return Words(
        draw(0.1 * CHANNELS, 0.9 * CHANNELS),
        draw(0.1 * CHANNELS, 0.9 * CHANNELS),
        draw(0.0, 0.4 * TIMESTEPS),
        draw(0.6 * TIMESTEPS, 1.0 * TIMESTEPS),
    )


def draw_sequences(words: Words, labels: Tensor, generator: Generator) -> Tensor:
    """One utterance for each label.

    Args:
        words: the templates.
        labels: classes, `n`.
        generator: of speakers, noise and spikes.

    Returns:
        Spikes, 0 or 1, uint8, `n t c`.
    """
    count = len(labels)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    tempo, late, shift = 1 + STRETCH * normal(1, 1), LATE * normal(1, 1), SHIFT * normal(1, 1)
    onset, end = words.onset[labels, None], words.end[labels, None]  # n 1 f
    when = (torch.arange(TIMESTEPS)[None, :, None] - late) * tempo  # n t 1
    part = ((when - onset) / (end - onset)).clamp(0, 1)
    low, high = words.low[labels, None], words.high[labels, None]
    centre = low + (high - low) * part + shift + 0.3 * SHIFT * normal(1, FORMANTS)
    loud = LOUD * torch.rand(count, 1, FORMANTS, generator=generator).sqrt()
    heard = loud * ((when >= onset) & (when <= end))  # n t f
    away = (torch.arange(CHANNELS) - centre[..., None]) / WIDTH
    rate = NOISE + (heard[..., None] * (-0.5 * away**2).exp()).sum(2)
    return (torch.rand(rate.shape, generator=generator) < rate).to(torch.uint8)
